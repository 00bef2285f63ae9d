"""Watches of Change tasks on both kinds of database: which files are taken, when, and by whom (84, 86)."""

import itertools
import os
import threading

import pytest
import sqlalchemy as sa

from mft_common.events import Envelope, FileStored
from mft_common.identity import Identity
from mft_common.watching.memory import digest
from sertainty_svc.domain.places import place_of
from sertainty_svc.domain.tasks import Action
from sertainty_svc.domain.tasks import TaskSchedule as Schedule
from sertainty_svc.domain.windows import Edge, Window
from sertainty_svc.operations import agenda
from sertainty_svc.operations.calls import Call
from sertainty_svc.store import execution_files, tasks
from sertainty_svc.store.tables import DELIVERIES, WATCHES, execution, task_failure
from tests.contract.sertainty_svc.task_world import START, World, change, changed, world

__all__ = ["world"]

CAUSE = "41" * 24


def taken(world, seconds=3.0):
    """Let the watcher look, and end what it queued; return the paths."""
    world.run(seconds)
    return sorted(world.end())


def test_84_a_file_is_queued_once_after_it_has_settled_also_over_a_restart(world, database_url, tmp_path):
    """Item 84: at least two looks; what was handled is remembered in the database."""
    world.save(change(settle_s=2.0))
    world.run(1)
    world.write("x.csv", b"12345")
    world.run(2)
    assert world.waiting() == []
    world.run(1.5)
    (one,) = world.waiting()
    assert (world.files(one), one.number, one.task, one.configuration) == (["x.csv"], 1, "copy", "night")
    assert (one.has_files, one.account, one.caused_by) == (True, "operator", None)
    world.end()
    world.run(5)
    world.watcher.release()
    again = World(database_url, tmp_path, owner="other")
    again.run(20)
    assert again.waiting() == []
    again.close()


def test_84_a_file_that_changes_settles_anew_and_is_taken_again_after_it_was_handled(world):
    """Item 84: a name is handled by its size, time and inode."""
    world.save(change(settle_s=2.0))
    for size in range(1, 6):
        world.write("x", b"x" * size)
        world.run(1)
    assert world.waiting() == []
    assert taken(world) == ["x"]
    world.write("x", b"other content")
    assert taken(world) == ["x"]


def test_84_names_with_a_dot_links_and_special_files_are_never_taken(world):
    """Item 84: nor what lies in a folder with such a name, nor a folder that a link leads to."""
    world.save(change(recurse=True))
    for name in (".x", ".git/x", "sub/.y", "sub/y", "x"):
        world.write(name)
    outside = world.root / "outside"
    outside.mkdir()
    (outside / "z").write_bytes(b"z")
    (world.root / "in" / "link").symlink_to(outside)
    (world.root / "in" / "file-link").symlink_to(outside / "z")
    os.mkfifo(world.root / "in" / "pipe")
    assert taken(world) == ["sub/y", "x"]


def test_84_patterns_decide_by_the_last_step_and_exclude_wins(world):
    """Item 84: shell patterns, case-sensitive; without Recurse nothing below the source is taken."""
    world.save(change(include=("*.csv", "[ab]?.txt"), exclude=("draft-*",)))
    for name in ("x.csv", "X.CSV", "draft-x.csv", "a1.txt", "c1.txt", "sub/y.csv"):
        world.write(name)
    assert taken(world) == ["a1.txt", "x.csv"]


def test_89_90_protected_files_are_for_unprotecting_alone(world):
    """Items 89 and 90: by their ending; other tasks take them like any file."""
    world.save(
        change("p", Action.AUTO_PROTECT, id_name="i"), change("u", Action.AUTO_UNPROTECT), change("c", source="in")
    )
    for name in ("x", "x.sealed", "x.SEALED"):
        world.write(name)
    world.run(3)
    found = {one.task: sorted(world.files(one)) for one in world.waiting()}
    assert found == {"p": ["x", "x.SEALED"], "u": ["x.sealed"], "c": ["x", "x.SEALED", "x.sealed"]}


def test_84_one_scan_serves_all_tasks_of_a_folder(world):
    """Item 84: however the folder is written."""
    world.save(change("a"), change("b", source="./in/"), change("c", include=("*.csv",)), change("d", source="other"))
    (world.root / "other").mkdir()
    world.run(1)
    assert sorted(world.watcher._scans) == ["file:in", "file:other"]
    assert len(world.watcher._scans["file:in"].states) == 3


def test_80_batches_of_a_thousand_follow_one_another(world):
    """Item 80: an execution has at most 1,000 files, and the next one is queued once it is over."""
    world.save(change())
    for number in range(2300):
        world.write(f"f{number:04d}")
    batches = []
    for _ in range(3):
        world.run(3)
        (one,) = world.waiting()
        batches.append(len(world.files(one)))
        world.run(12)
        assert len(world.waiting()) == 1
        world.end()
    assert batches == [1000, 1000, 300]
    assert taken(world) == []


def test_80_executions_of_one_task_never_overlap_and_other_tasks_go_on(world):
    """Item 80: the files of a busy task wait; a task of the same folder takes them at once."""
    world.save(change("a"), change("b"))
    world.write("x")
    world.run(3)
    with world.database.write() as connection:
        (busy,) = world.waiting("a")
        connection.execute(sa.update(execution).where(execution.c.id == busy.id).values(status="running"))
        for one in world.waiting("b"):
            connection.execute(sa.update(execution).where(execution.c.id == one.id).values(status="over"))
    world.write("y")
    world.run(10)
    assert [world.files(one) for one in world.waiting("a")] == [["x"]]
    assert [world.files(one) for one in world.waiting("b")] == [["y"]]
    world.end()
    world.run(2)
    assert [world.files(one) for one in world.waiting()] == [["y"]]


@pytest.mark.parametrize(
    "values", [{"running": False}, {"enabled": False}, {"active": None}], ids=["shutdown", "disable", "deactivate"]
)
def test_71_75_82_nothing_is_taken_while_the_task_may_not_run_and_everything_afterwards(world, values):
    """Items 70, 71 and 75: what arrived meanwhile is found by the first scan afterwards, and nothing twice."""
    world.save(change())
    world.write("before")
    assert taken(world) == ["before"]
    with world.database.read() as connection:
        active = tasks.by_id(connection, world.task().id).configuration_id
    world.alter(**values)
    world.write("meanwhile")
    assert taken(world, 30) == []
    world.alter(running=True, enabled=True, active=active)
    assert taken(world) == ["meanwhile"]


def test_82_a_paused_task_takes_nothing_and_finds_what_came_meanwhile(world):
    """Item 82: a pause keeps the memory of handled files."""
    world.save(change())
    world.write("before")
    assert taken(world) == ["before"]
    world.update(paused=True)
    world.write("meanwhile")
    assert taken(world, 30) == []
    world.update(paused=False)
    assert taken(world) == ["meanwhile"]


def test_84_a_pause_that_comes_amid_a_scan_is_obeyed(world):
    """Item 82: the row of the task decides in the transaction that queues, not what the scan began with."""
    world.save(change())
    world.run(1)
    world.write("x")
    with world.database.write() as connection:
        tasks.update(connection, world.task().id, paused=True)
    world.run(5)
    assert world.waiting() == []


def test_76_a_task_whose_name_survives_keeps_its_memory_and_a_removed_one_loses_it(world):
    """Item 76: also over a time in which it was disabled."""
    world.save(change())
    world.write("x")
    assert taken(world) == ["x"]
    world.save(change(retries=7))
    assert taken(world) == []
    world.save(change(enabled=False))
    world.save(change())
    assert taken(world) == []
    world.save()
    with world.database.read() as connection:
        assert WATCHES.definitions(connection, "task/") == {}
    world.save(change())
    assert taken(world) == ["x"]


def test_83_86_failed_files_are_taken_again_after_a_reset_or_a_change_of_the_definition_and_no_others(world):
    """Items 83 and 86: files that were handled well stay handled."""
    world.save(change())
    world.write("bad")
    world.write("good")
    assert taken(world) == ["bad", "good"]

    def fail():
        with world.database.write() as connection:
            connection.execute(sa.insert(task_failure).values(task=world.task().id, name=digest("bad")))

    fail()
    world.update(paused=True)
    world.update(paused=False)
    assert taken(world, 20) == []
    with world.database.write() as connection:
        agenda.sync(connection, world.now, reset=[world.task()])
    assert taken(world) == ["bad"]
    fail()
    world.save(change(description="other"))
    assert taken(world) == ["bad"]
    assert taken(world, 20) == []


def test_86_a_task_that_waits_after_its_own_fault_takes_files_at_its_time_or_once_something_was_saved(world):
    """Item 86: its time passes by the clock; IDs, scripts and tasks that are saved end the wait."""
    world.save(change())
    with world.database.write() as connection:
        tasks.update(connection, world.task().id, retry_at=START + 60_000)
    world.write("x")
    assert taken(world, 50) == []
    assert taken(world, 15) == ["x"]
    for let in (agenda.retry_faults, lambda connection: agenda.sync(connection, 0)):
        with world.database.write() as connection:
            tasks.update(connection, world.task().id, retry_at=world.now + 300_000)
        world.write("x", os.urandom(9))
        assert taken(world, 10) == []
        with world.database.write() as connection:
            let(connection)
        assert taken(world, 4) == ["x"]
        assert world.task().retry_at is None


def test_83_86_a_task_that_waits_after_its_own_fault_tries_again_at_once_after_its_reset(world):
    """Items 83 and 86: the wait belongs to what a reset clears, also where no file has failed."""
    world.save(change())
    with world.database.write() as connection:
        tasks.update(connection, world.task().id, faults=9, retry_at=START + 290_000)
    world.write("x")
    assert taken(world, 10) == []
    arguments = {"config-name": ["night"], "task-name": ["copy"]}
    call = Call(identity=Identity(request_id="r1", address="10.0.0.9"), caller=None, arguments=arguments)
    assert world.service.operations.functions["taskReset"](call).code == 1
    assert taken(world, 4) == ["x"]


def test_86_a_clock_that_is_set_back_lets_no_task_wait_longer_than_its_longest_pause(world):
    """Item 86: a time beyond five minutes was written by another clock than the present one."""
    world.save(change())
    with world.database.write() as connection:
        tasks.update(connection, world.task().id, faults=9, retry_at=START + 300_000)
    world.now -= 86_400_000
    world.write("x")
    assert taken(world, 4) == ["x"]


def test_86_a_task_waits_also_by_the_clock_of_a_worker_that_is_behind(world):
    """Item 86: where another worker has ended the execution, the longest wait may seem to be a little longer."""
    world.save(change())
    with world.database.write() as connection:
        tasks.update(connection, world.task().id, faults=9, retry_at=START + 302_000)
    world.write("x")
    assert taken(world, 10) == []
    assert taken(world, 300) == ["x"]


def test_80_86_a_folder_that_is_missing_is_the_tasks_fault_at_each_try(world):
    """Items 80 and 86: each scan that cannot be made is one execution in error, later and later; then files come."""
    world.save(change(source="gone"), change("other"))
    world.run(90)
    assert {name for name, _ in world.faults} == {"copy"}
    assert "gone" in world.faults[0][1]
    pauses = [after - before for before, after in itertools.pairwise(world.fault_times)]
    assert len(pauses) == 4
    for pause, wanted in zip(pauses, (5, 10, 20, 40), strict=True):
        assert wanted <= pause <= wanted + 1
    stored = world.task()
    assert (stored.exec_count, stored.error_count, stored.failed) == (5, 5, True)
    assert stored.error == "gone: the folder does not exist"
    world.write("x", folder="gone")
    world.save(change(source="gone", retries=1), change("other"))
    assert taken(world, 6) == ["x"]


def test_93_107_a_source_outside_every_root_is_the_tasks_fault(world, tmp_path):
    """Items 93 and 107: a link in the path may lead to another place below a root, and to no other."""
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (outside / "secret").write_bytes(b"s")
    (world.root / "inside").mkdir()
    (world.root / "to-inside").symlink_to(world.root / "inside")
    (world.root / "to-outside").symlink_to(outside)
    world.write("x", folder="inside")
    world.save(
        change("inside", source="to-inside"), change("link", source="to-outside"), change("path", source=str(outside))
    )
    assert taken(world) == ["x"]
    assert {name: text.rpartition(": ")[2] for name, text in world.faults} == {
        "link": "the folder lies outside every root", "path": "the folder lies outside every root",
    }  # fmt: skip


def test_105_files_wait_outside_the_window(world):
    """Item 105: also the fault of a missing folder is none while the window is closed."""
    hour = (START // 3_600_000) % 24
    closed = Schedule(window=Window(start=Edge(hour=(hour + 1) % 24), end=Edge(hour=(hour + 2) % 24)))
    world.save(change(schedule=closed), change("missing", source="gone", schedule=closed))
    world.write("x")
    assert taken(world, 20) == []
    assert world.faults == []
    world.now += 3_600_000
    assert taken(world, 3) == ["x"]


def test_b28_a_file_with_an_old_time_that_is_written_slowly_is_taken_once_and_whole(world):
    """Field report B28: its time says 2001, and it grows for ten seconds; by our own clock it has not settled."""
    world.save(change(settle_s=2.0))
    old = 1_000_000_000
    for step in range(1, 11):
        path = world.write("slow.bin", b"x" * step * 1000)
        os.utime(path, (old, old))
        world.run(1)
    assert world.waiting() == []
    world.run(3)
    (one,) = world.waiting()
    with world.database.read() as connection:
        sizes = [file.size for file in _files(connection, one)]
    assert sizes == [10_000]
    world.end()
    assert taken(world, 30) == []


def test_b28_unfinished_files_of_other_programs_are_taken_by_their_own_pattern_alone(world):
    """Field report B28: `.part` and `.filepart` are no complete files unless a task asks for them."""
    world.save(change(), change("parts", include=("*.part",)))
    for name in ("x", "x.part", "x.filepart"):
        world.write(name)
    world.run(3)
    assert {one.task: world.files(one) for one in world.waiting()} == {"copy": ["x"], "parts": ["x.part"]}


def test_b29_files_of_one_time_are_all_taken_however_late_they_come(world):
    """Field report B29: no time of modification before which files are passed over."""
    world.save(change())
    for name in ("a", "b", "c", "d"):
        path = world.write(name)
        os.utime(path, (1_000_000_000, 1_000_000_000))
        assert taken(world, 3) == [name]


@pytest.mark.parametrize("count", [2500, pytest.param(20_000, marks=pytest.mark.slow)])
def test_b30_a_burst_of_files_is_taken_whole_without_any_event_of_the_system(world, count):
    """Field report B30: files that come while scans run, also in a folder that is moved in: each one once."""
    world.save(change(recurse=True))
    world.run(1)
    wanted = [f"f{number:05d}" for number in range(count)] + [f"moved/m{number:03d}" for number in range(300)]

    def burst():
        # By a rename, because the test's clock runs faster than a thread that pauses between the name and its bytes.
        for name in wanted[:count]:
            (world.root / "next").write_bytes(b"x")
            (world.root / "next").rename(world.root / "in" / name)
        for name in wanted[count:]:
            world.write(name.removeprefix("moved/"), folder="ready")
        (world.root / "ready").rename(world.root / "in" / "moved")

    writer, found = threading.Thread(target=burst), []
    writer.start()
    while writer.is_alive():
        world.run(1)
        found += world.end()
    writer.join()
    for _ in range(count // 1000 + 5):
        found += taken(world, 2)
    assert sorted(found) == wanted


def _files(connection, one):
    return list(execution_files.each(connection, one.id))


def stored(path, size=3, transfer=CAUSE):
    """Return the event of a file of the filestore."""
    event = FileStored(
        account="system", address="", path=path, fileset=1, size=size, sha256="0" * 64, datatype="binary",
        transfer_id=transfer,
    )  # fmt: skip
    return Envelope(id="e1", source="filestore-svc", type=FileStored.TYPE, subject=path, time=START, data=event)


def test_112_a_stored_file_wakes_the_folder_that_a_task_watches_and_no_other(world):
    """Item 112: and the transfer that wrote it is noted; events come again, and for folders of nobody."""
    world.save(change(source="filestore:/in/"), change("all", source="filestore:/", recurse=True), change("local"))
    with world.database.write() as connection:
        paths = ("/in/x.csv", "/in/x.csv", "/inn/x", "/other/x")
        world.arrivals.files_stored(connection, [stored(path) for path in paths])
        assert sorted(WATCHES.take_woken(connection)) == ["filestore:/", "filestore:/in"]
        world.arrivals.files_stored(connection, [stored("/other/y")])
        assert WATCHES.take_woken(connection) == ["filestore:/"]
    world.save(change(source="filestore:/in/"))
    with world.database.write() as connection:
        world.arrivals.files_stored(connection, [stored("/other/z")])
        assert WATCHES.take_woken(connection) == []
        assert DELIVERIES.purge(connection, START + 1, 10) == 4


def test_111_an_execution_names_the_transfer_that_wrote_the_first_of_its_files_that_is_known(world):
    """Item 111: by place and size, so that a file which was replaced since names nobody, nor one of another folder."""
    world.save(change())
    row = {"transfer": CAUSE, "size": 1, "at": START}
    with world.database.write() as connection:
        DELIVERIES.note(connection, [{"place": place_of("file:in", "b"), **row}])
        DELIVERIES.note(connection, [{"place": place_of("filestore:/in", "c"), **row}])
    world.write("a")
    world.write("b")
    world.run(3)
    assert [one.caused_by for one in world.waiting()] == [CAUSE]
    world.end()
    world.write("b", b"longer")
    world.write("c")
    world.run(3)
    assert [one.caused_by for one in world.waiting()] == [None]


def test_109_a_task_list_is_brought_to_watches_and_timers_in_well_under_a_call(world):
    """Item 109: a thousand tasks, of which one changes: only its watch gets a new definition."""
    many = [change(f"t{number}", source=f"f{number}") for number in range(1000)]
    world.save(*many)
    with world.database.read() as connection:
        before = WATCHES.generations(connection)
    world.save(changed(many[0], retries=9), *many[1:])
    with world.database.read() as connection:
        after = WATCHES.generations(connection)
    assert [key for key in after if after[key] != before[key]] == [world.task("t0").watch]
