"""Executions that protect and unprotect files, in children of a real runner (89, 90, 101)."""

import base64
import os
import struct

import pytest

from mft_common.transfer.steps.sealed import SealedHeader
from sertainty_svc.domain.tasks import Action, AfterSuccess
from sertainty_svc.operations.running.order import Result
from tests.servers.diplomat_jobs import tree
from tests.service.sertainty_svc.execution_worker import children, recursive, task
from tests.service.sertainty_svc.protected_tasks import Machines, machines, uid_of

__all__ = ["children", "machines", "task"]

OVER = Result()
PROTECT, UNPROTECT = Action.AUTO_PROTECT, Action.AUTO_UNPROTECT
TIME = 1_700_000_000_123_456_789
CHUNK = 65_536


def protected(task, machines, files, folder, **options):
    """Return a task that has protected files, and the protected ones by their paths."""
    one = task(PROTECT, files=files, folder=folder, order=machines.here.order(), id_name="edge.iic", **options)
    assert one.run() == OVER
    return one, tree(one.root / "out")


@pytest.mark.parametrize("after", list(AfterSuccess))
@pytest.mark.parametrize("kem", ["x25519", "mlkem768-x25519"])
def test_89_90_files_come_back_as_they_were(task, tmp_path, kem, after):
    """Items 89 and 90: name, bytes and modification time, of files below folders too, whatever becomes of sources."""
    machines = Machines(tmp_path, kem=kem)
    files = {"in/a.csv": os.urandom(200_000), "in/x/empty": b"", "in/chunk": b"c" * CHUNK}
    one = task(
        PROTECT, files=files, folder=tmp_path / "1", order=machines.here.order(), id_name="edge.iic",
        filter=recursive(), after_success=after,
    )  # fmt: skip
    os.utime(one.root / "in/a.csv", ns=(TIME, TIME))
    assert one.run() == OVER
    sealed = tree(one.root / "out")
    assert sorted(sealed) == ["a.csv.sealed", "chunk.sealed", "x/empty.sealed"]
    assert {(level, text) for level, _, text in one.lines()} == {("Info", "protected")}
    assert (one.root / "out/a.csv.sealed").stat().st_mtime_ns != TIME
    renamed = {f"in/{name.replace('a.csv', 'other')}": content for name, content in sealed.items()}
    two = task(
        UNPROTECT, files=renamed, folder=tmp_path / "2", order=machines.here.order(named=False),
        filter=recursive(), after_success=after,
    )  # fmt: skip
    two.ids[uid_of(machines.here.contents)] = ["Y2hhbmdlZA==", machines.here.in_base64]
    assert two.run() == OVER
    assert tree(two.root / "out") == {name.removeprefix("in/"): content for name, content in files.items()}
    assert (two.root / "out/a.csv").stat().st_mtime_ns == TIME // 1_000_000 * 1_000_000
    for task_, sources in ((one, set(files)), (two, set(renamed))):
        kept = {f"in/{name}" for name in tree(task_.root / "in")}
        assert kept == (sources if after is AfterSuccess.KEEP else set())


def test_89_files_that_are_protected_already_are_not_taken(task, machines):
    """Items 89 and 90: AutoProtect takes no .sealed file, and AutoUnprotect nothing else."""
    one, sealed = protected(task, machines, {"in/a": b"1", "in/b.sealed": b"2"}, machines.folder / "1")
    assert list(sealed) == ["a.sealed"]
    two = task(
        UNPROTECT, files={"in/a.sealed": sealed["a.sealed"], "in/plain": b"2"}, folder=machines.folder / "2",
        order=machines.here.order(), id_name="edge.iic",
    )  # fmt: skip
    assert two.run() == OVER
    assert tree(two.root / "out") == {"a": b"1"}
    assert one.one().delivered_size == len(sealed["a.sealed"])


def test_89_a_hub_protects_for_another_machine_that_alone_can_restore(task, machines):
    """Items 89 and 90: the ID holds the other machine alone; here the file is the file's fault, there it comes back."""
    contents = machines.issue(machines.other)
    order = {**machines.here.order(), "id_contents": base64.b64encode(contents).decode()}
    one = task(PROTECT, files={"in/a": b"1"}, folder=machines.folder / "1", order=order, id_name="edge.iic")
    assert one.run() == OVER
    sealed = {"in/a.sealed": (one.root / "out/a.sealed").read_bytes()}
    options = {"files": sealed, "id_name": "edge.iic"}
    here = task(UNPROTECT, folder=machines.folder / "2", order=order, **options)
    assert here.run() == OVER
    assert here.states() == {"a.sealed": "failed"}
    assert tree(here.root) == {"failed/a.sealed": sealed["in/a.sealed"]}
    there = task(
        UNPROTECT, folder=machines.folder / "3", **options,
        order={**machines.other.order(), "id_contents": base64.b64encode(contents).decode()},
    )  # fmt: skip
    assert there.run() == OVER
    assert tree(there.root / "out") == {"a": b"1"}


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (None, "the ID edge.iic does not exist."),
        (b"no ID at all", "ID"),
        (b"<ID version='1'/>", "ID"),
        ("keyless", "no machine with a public key"),
        ("expired", "Expiration"),
        ("closed", "ScheduleDeny"),
    ],
)
def test_86_89_101_an_id_that_cannot_be_used_is_the_tasks_fault(task, machines, contents, reason):
    """Items 86, 89 and 101: no output, no file is blamed or touched."""
    if isinstance(contents, str):
        contents = getattr(machines, contents)()
    given = None if contents is None else base64.b64encode(contents).decode()
    order = {**machines.here.order(), "id_contents": given}
    one = task(PROTECT, files={"in/a": b"1"}, folder=machines.folder / "1", order=order, id_name="edge.iic")
    result = one.add("a").run()
    assert reason in result.fault
    assert one.states() == {"a": "waiting"}
    assert tree(one.root) == {"in/a": b"1"}


def test_100_101_an_id_that_was_edited_protects_nothing_where_that_can_be_known(task, machines):
    """Items 100 and 101: a rule that was taken out is missed; a hub that is not in the ID cannot tell."""
    contents = machines.closed()
    edited = contents.replace(b'ScheduleDeny type="bool">true', b'ScheduleDeny type="bool">false')
    assert edited != contents
    for place, machine in enumerate((machines.here, machines.other)):
        order = {**machine.order(), "id_contents": base64.b64encode(edited).decode()}
        one = task(
            PROTECT, files={"in/a": b"1"}, folder=machines.folder / f"{place}", order=order, id_name="edge.iic",
            after_success=AfterSuccess.DELETE,
        )  # fmt: skip
        fault = one.run().fault
        if machine is machines.here:
            assert "changed after it was made" in fault
            assert tree(one.root) == {"in/a": b"1"}
        else:
            assert (fault, list(tree(one.root))) == ("", ["out/a.sealed"])


def test_90_101_rules_of_an_id_at_unprotect(task, machines):
    """Items 90 and 101: outside the window a file waits without error; after the expiration it has failed."""
    _, sealed = protected(task, machines, {"in/a": b"1"}, machines.folder / "1")
    for number, (contents, state, word) in enumerate(
        (
            (machines.closed(), "later", "ScheduleDeny"),
            (machines.expired(), "failed", "Expiration"),
            (machines.bound_elsewhere(), "failed", "HardwareDeny"),
        )
    ):
        order = {**machines.here.order(), "id_contents": base64.b64encode(contents).decode()}
        one = task(
            UNPROTECT, files={"in/a.sealed": sealed["a.sealed"]}, folder=machines.folder / f"x{number}", order=order,
            id_name="edge.iic",
        )  # fmt: skip
        assert one.run() == OVER
        assert one.states() == {"a.sealed": state}
        assert word in one.one().description
        assert tree(one.root) == {f"{'in' if state == 'later' else 'failed'}/a.sealed": sealed["a.sealed"]}


def test_90_an_id_that_is_not_here_is_the_files_fault(task, machines):
    """Item 90: without an ID in the task that of the header is looked for; a file of another ID has failed."""
    _, sealed = protected(task, machines, {"in/a": b"1"}, machines.folder / "1")
    files = {"in/a.sealed": sealed["a.sealed"], "in/b.sealed": b"not sealed"}
    one = task(UNPROTECT, files=files, folder=machines.folder / "2", order=machines.here.order(named=False))
    assert one.run() == OVER
    assert [file.description for file in one.files.values()] == [
        "a.sealed: was protected to an ID that is not here.",
        "b.sealed: is not a protected file.",
    ]
    other = {**machines.here.order(), "id_contents": base64.b64encode(machines.issue(machines.here)).decode()}
    two = task(UNPROTECT, files=files, folder=machines.folder / "3", order=other, id_name="edge.iic")
    assert two.run() == OVER
    assert two.states() == {"a.sealed": "failed", "b.sealed": "failed"}
    assert tree(two.root / "out") == {}


def damaged(content):
    """Yield protected content that is not authentic: cut around each chunk, continued, swapped, flipped."""
    header = SealedHeader.parse(content)
    begin = header.length + struct.unpack(">I", content[12:16])[0] + 16
    edges = [40, header.length, begin, *range(begin + CHUNK + 16, len(content), CHUNK + 16), len(content)]
    for edge in edges:
        for place in (edge - 1, edge, edge + 1):
            if place < len(content):
                yield content[:place]
    yield content + b"\0"
    one, two = begin + CHUNK + 16, begin + 2 * (CHUNK + 16)
    yield content[:begin] + content[one:two] + content[begin:one] + content[two:]
    yield content[:one] + content[begin:one] + content[two:]
    for place in (0, 9, 20, 45, header.length + 1, begin + 1, one + 1, len(content) - 1):
        flipped = bytearray(content)
        flipped[place] ^= 1
        yield bytes(flipped)


@pytest.mark.parametrize("replace", [False, True])
def test_b34_a_bad_protected_file_makes_nothing_visible_and_touches_no_older_output(task, machines, replace):
    """Report B34: no part and no empty file under the output's name, which keeps what an older file of it has."""
    _, sealed = protected(task, machines, {"in/a": os.urandom(2 * CHUNK + 5)}, machines.folder / "1")
    bad = list(damaged(sealed["a.sealed"]))
    assert len(bad) > 20
    files = {f"in/{number:02}.sealed": content for number, content in enumerate(bad)}
    older = {"out/a": b"older"} if replace else {}
    one = task(
        UNPROTECT, files={**files, **older}, folder=machines.folder / "2", order=machines.here.order(),
        id_name="edge.iic", replace=replace,
    )  # fmt: skip
    appeared = []
    one.before["changed"] = lambda _data: appeared.extend(
        path.name for path in one.root.glob("out/[!.]*") if path.read_bytes() != b"older"
    )
    assert one.run() == OVER
    assert set(one.states().values()) == {"failed"}, [file for file in one.files.values() if file.state != "failed"]
    assert appeared == []
    failed = {name.replace("in/", "failed/"): content for name, content in files.items()}
    assert tree(one.root) == {**failed, **older}
    assert {file.tries for file in one.files.values()} <= {0, 1}


def test_90_an_original_name_that_no_file_may_have_is_the_files_fault(task, machines):
    """Items 17, 90 and 107: the name in the metadata is checked again, and never becomes a path."""
    for number, name in enumerate(("../../evil", ".hidden", "CON", "a:b")):
        content = machines.here.seal(name, b"1")
        one = task(
            UNPROTECT, files={"in/a.sealed": content}, folder=machines.folder / f"n{number}",
            order=machines.here.order(), id_name="edge.iic",
        )  # fmt: skip
        assert one.run() == OVER
        assert one.states() == {"a.sealed": "failed"}
        assert tree(one.root) == {"failed/a.sealed": content}


def test_89_a_name_that_could_not_be_restored_is_not_protected(task, machines):
    """Items 17 and 89: a file whose name rule 17 refuses has failed, rather than becoming one that nobody can open."""
    one, sealed = protected(task, machines, {"in/a:b": b"1", "in/good": b"2"}, machines.folder / "1")
    assert list(sealed) == ["good.sealed"]
    assert one.states() == {"a:b": "failed", "good": "successful"}


def test_90_without_a_host_key_it_is_the_tasks_fault(task, machines):
    """Items 86 and 98: a worker that cannot read the machine's key blames no file."""
    order = {**machines.here.order(), "host_key": str(machines.folder / "none")}
    one = task(UNPROTECT, files={"in/a.sealed": b"x"}, folder=machines.folder / "1", order=order, id_name="edge.iic")
    assert one.run().fault.startswith("the host key cannot be read")
    assert tree(one.root) == {"in/a.sealed": b"x"}
