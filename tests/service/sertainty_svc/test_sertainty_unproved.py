"""Files that were delivered by executions which were ended before they could record that (73, 88)."""

import json

import pytest

from sertainty_svc.domain.tasks import Action, AfterSuccess, Folders, TaskType
from sertainty_svc.store import execution_files, executions, tasks, unproved_commits
from tests.servers.diplomat_jobs import tree
from tests.service.sertainty_svc.execution_worker import Task, identity
from tests.service.sertainty_svc.test_sertainty_whole_executions import FOLDERS, hub, runner

__all__ = ["hub", "runner"]

SHUT_DOWN = "ended by agent shutdown"


def cut_off(hub, runner, id_):
    """Let a child deliver `a` and die before its worker hears of it, and let a shutdown end its execution."""
    definition = hub.stored(id_).definition
    one = Task(runner, hub.folder, definition)
    found = {"a": identity(hub.root / "in" / "a")} if definition.type is TaskType.CHANGE else {}
    one.add("a", identities=found)

    def refuse(data):
        if data["state"] == "delivered":
            one.refused = (len(one.messages) - 1, False)

    one.before["changed"] = refuse
    assert one.killed()
    queued = queue(hub, id_)
    with hub.database.write() as connection:
        executions.update(connection, queued.id, attempts=1, began_at=hub.now)
        execution_files.put(connection, queued.id, [one.one()])
    hub.change_agent(running=False, epoch=1, reason="agent shutdown")
    with hub.worker():
        assert hub.ended(queued).error == SHUT_DOWN
    assert hub.remembered(id_, "a") == []
    hub.change_agent(running=True)


def queue(hub, id_):
    """Queue an execution of a task: over its file, or over what it finds at its time."""
    if hub.stored(id_).definition.type is TaskType.CHANGE:
        return hub.add(id_, "a")
    with hub.database.write() as connection:
        return executions.queue(connection, tasks.by_id(connection, id_), transfer_id=hub.ids.new(), now=hub.now)


def again(hub, id_):
    """Run the next execution of the task; return its end."""
    queued = queue(hub, id_)
    with hub.worker():
        return hub.ended(queued)


def kept(hub, id_):
    """Return how many files of a task are kept."""
    return len(hub.read(lambda connection: unproved_commits.names(connection, id_)))


@pytest.mark.parametrize("kind", TaskType)
@pytest.mark.parametrize(
    ("action", "after", "wanted"),
    [
        pytest.param(Action.MOVE, AfterSuccess.KEEP, {"out/a": b"one"}, id="moved"),
        pytest.param(Action.COPY, AfterSuccess.ARCHIVE, {"out/a": b"one", "done/a": b"one"}, id="archived"),
    ],
)
def test_88_an_output_whose_record_a_shutdown_cut_off_is_no_existing_target(hub, runner, kind, action, after, wanted):
    """Items 73, 87 and 88: the next execution recognises it by its bytes, and handles its source."""
    hub.put(a=b"one")
    id_ = hub.task(type=kind, action=action, folders=FOLDERS, after_success=after)
    cut_off(hub, runner, id_)
    assert tree(hub.root) == {"in/a": b"one", "out/a": b"one"}
    assert kept(hub, id_) == 1
    ended = again(hub, id_)
    assert (ended.error, ended.errors, ended.files) == ("", 0, 1)
    assert tree(hub.root) == wanted
    transfer = hub.last_transfer()
    assert (transfer.state, transfer.totals.successes, transfer.totals.bytes_sent) == ("successful", 1, 3)
    assert transfer.items[0].destination.sha256 == transfer.items[0].source.sha256 != ""
    assert kept(hub, id_) == 0


@pytest.mark.parametrize("other", ["source", "output", "folder"])
def test_87_88_another_version_another_output_and_another_folder_are_existing_targets(hub, runner, other):
    """Items 87 and 88: only the bytes that were made of this very version of the source are an output of it."""
    hub.put(a=b"one")
    id_ = hub.task(action=Action.MOVE, folders=Folders(source="in", destination="out"))
    cut_off(hub, runner, id_)
    target = "out"
    if other == "source":
        hub.put(a=b"three")
    elif other == "output":
        (hub.root / "out" / "a").write_bytes(b"two")
    else:
        target = "out-2"
        (hub.root / target).mkdir()
        (hub.root / target / "a").write_bytes(b"one")
        changed = hub.stored(id_).definition.to_json()
        changed["folders"]["destination"] = target
        hub.change_task(id_, definition=json.dumps(changed))
    before = tree(hub.root)
    ended = again(hub, id_)
    assert (ended.errors, "exists already" in ended.error) == (1, True)
    assert tree(hub.root) == before
