"""Scripts whose worker ends (88, 106)."""

import pytest

from sertainty_svc.domain.tasks import Action, Folders, TaskType
from sertainty_svc.store import execution_files, objects
from sertainty_svc.store.objects import Key
from tests.servers.processes import wait_until
from tests.servers.stored_scripts import INTERPRETERS
from tests.service.sertainty_svc.test_sertainty_whole_executions import Hub, runner

__all__ = ["runner"]


@pytest.fixture
def hub(tmp_path, database_url, runner):
    """The service with interpreters of scripts."""
    section = {"interpreters": {name: list(command) for name, command in INTERPRETERS.items()}}
    made = Hub(tmp_path, database_url, runner, section)
    yield made
    made.service.close()


@pytest.mark.parametrize("kind", TaskType)
def test_88_106_a_script_that_has_to_be_killed_at_the_end_of_its_worker_does_not_count(hub, kind):
    """Items 88 and 106: the worker waits until the script has had its 5 s, so that it may run again with Retries 0."""
    with hub.database.write() as connection:
        stubborn = b"test -e \"$TASK_SOURCE/../second\" && exit 0; trap '' TERM; echo up; while :; do sleep 0.05; done"
        objects.save(connection, Key("script", hub.night, "stubborn.sh"), stubborn)
    hub.put(a=b"one")
    id_ = hub.task(type=kind, action=Action.SCRIPT, script="stubborn.sh", folders=Folders(source="in"), retries=0)
    queued = hub.add(id_, "a") if kind is TaskType.CHANGE else hub.queue(id_)
    with hub.worker():
        wait_until(lambda: "up" in hub.log(id_), what="the script")
    assert hub.execution(queued.id).status == "queued"
    assert hub.execution(queued.id).runs == 0
    files = hub.read(lambda connection: list(execution_files.each(connection, queued.id)))
    assert {file.tries for file in files} <= {0}
    (hub.root / "second").touch()
    with hub.worker():
        assert hub.ended(queued).error == ""
