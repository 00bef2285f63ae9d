"""Jobs that copy their files into archives (E36)."""

import io
import os
import zipfile
from types import SimpleNamespace

import pytest

from diplomat_svc.operations.job_child import sweep
from diplomat_svc.operations.job_order import JobOrder
from mft_common.config import Reader
from mft_common.transfer.steps.openpgp import Key
from tests.servers.diplomat_jobs import dock, finished, log, tree
from tests.servers.gnupg import PASSPHRASE, Partner
from tests.servers.processes import wait_until

SEQUENCE = "0000000000000001"
BOTH = {
    "primary": {"url": "file:archive/originals", "content": "original"},
    "additional": {"url": "file:archive/delivered", "content": "delivered"},
}
TEXT = b"a long line of text\r\n" * 3


def test_originals_and_delivered_files_are_archived_with_the_sequence_in_their_names_e36_45(hub, transaction):
    """Each archive has its content; the log and the summary name the copies, and then the source is deleted."""
    one = transaction("one", archive=BOTH, mode="ascii", destination={"files": "*.new"}, delete_source=True)
    made = dock(hub, {"a.txt": TEXT, "none": b""}, one)
    assert finished(made).findtext("completionStatus") == "Successful", log(made)
    unix = TEXT.replace(b"\r\n", b"\n")
    assert tree(made.data / "archive") == {
        f"originals/a-{SEQUENCE}.txt": TEXT,
        f"originals/none-{SEQUENCE}": b"",
        f"delivered/a.txt-{SEQUENCE}.new": unix,
        f"delivered/none-{SEQUENCE}.new": b"",
    }
    assert tree(made.data / "to") == {"a.txt.new": unix, "none.new": b""}
    assert list((made.data / "from").iterdir()) == []
    summary = made.call("summary", ("transactionName", "one")).text("summary").splitlines()
    place = summary.index("Primary archive (original): file:archive/originals")
    assert summary[place + 1] == f"  a.txt as a-{SEQUENCE}.txt"
    assert "Additional archive (delivered): file:archive/delivered" in summary
    assert any(
        f"Archived a.txt as a-{SEQUENCE}.txt in the primary archive: {len(TEXT)} bytes" in one for one in log(made)
    )
    assert [row.temporaries for row in made.rows("SELECT temporaries FROM files")] == ["[]", "[]"]


def test_files_that_pass_unchanged_are_archived_too_and_another_job_gets_other_names(hub, transaction):
    """Two jobs with the same file leave two copies."""
    one = transaction("one", archive={"primary": {"url": "file:archive", "content": "delivered"}})
    made = dock(hub, {"a.txt": b"a"}, one)
    for _ in range(2):
        assert finished(made).findtext("completionStatus") == "Successful"
    assert sorted(tree(made.data / "archive")) == [f"a-{SEQUENCE}.txt", "a-0000000000000002.txt"]


def test_an_archive_that_cannot_be_written_is_a_warning_and_keeps_the_source_74(hub, transaction):
    """The file is delivered, the other archive is written, and the log says which one failed and why."""
    one = transaction("one", archive=BOTH, delete_source=True)
    made = dock(hub, {"a.txt": b"a", "b.txt": b"b"}, one)
    (made.data / "archive").mkdir()
    (made.data / "archive" / "originals").write_bytes(b"a file where a folder should be")
    job = finished(made)
    assert job.findtext("completionStatus") == "Warning"
    assert (job.findtext("filesSuccessful"), job.findtext("filesFailed")) == ("2", "0")
    assert tree(made.data / "to") == {"a.txt": b"a", "b.txt": b"b"}
    assert sorted(os.listdir(made.data / "from")) == ["a.txt", "b.txt"]  # noqa: PTH208
    assert sorted(tree(made.data / "archive" / "delivered")) == [f"a-{SEQUENCE}.txt", f"b-{SEQUENCE}.txt"]
    assert any("the primary archive was not written" in text for text in log(made))
    assert not any(str(made.data) in text for text in log(made))


def test_a_copy_replaces_nothing(hub, transaction):
    """A name that is taken in the archive is numbered."""
    made = dock(hub, {"a.txt": b"new"}, transaction("one", archive={"primary": {"url": "file:archive"}}))
    (made.data / "archive").mkdir()
    (made.data / "archive" / f"a-{SEQUENCE}.txt").write_bytes(b"old")
    assert finished(made).findtext("completionStatus") == "Successful"
    assert tree(made.data / "archive") == {f"a-{SEQUENCE}.txt": b"old", f"a-{SEQUENCE}-1.txt": b"new"}


def test_files_that_were_packed_are_archived_as_they_were_and_as_one_e36(hub, transaction):
    """The originals by themselves, and the very archive that was delivered; every record tells of it."""
    made = dock(hub, {"a.txt": b"a", "b.txt": b"b"}, transaction("one", archive=BOTH, compress={"zip": "x.zip"}))
    assert finished(made).findtext("completionStatus") == "Successful", log(made)
    assert tree(made.data / "archive") == {
        f"originals/a-{SEQUENCE}.txt": b"a",
        f"originals/b-{SEQUENCE}.txt": b"b",
        f"delivered/x-{SEQUENCE}.zip": (made.data / "to" / "x.zip").read_bytes(),
    }
    summary = made.call("summary", ("transactionName", "one")).text("summary")
    assert summary.count(f"as x-{SEQUENCE}.zip") == 2


@pytest.mark.parametrize("mode", ["binary", "ascii"])
def test_an_archive_that_was_unpacked_is_archived_and_so_are_its_members_e36(hub, transaction, mode):
    """The file as it came, and each member as it was delivered, in its folder."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", TEXT)
        archive.writestr("sub/b.txt", TEXT)
    one = transaction("one", direction="inbound", archive=BOTH, compress={"unzip": True}, mode=mode, delete_source=True)
    made = dock(hub, {"x.zip": file.getvalue()}, one)
    assert finished(made).findtext("completionStatus") == "Successful", log(made)
    text = TEXT if mode == "binary" else TEXT.replace(b"\r\n", b"\n")
    assert tree(made.data / "archive") == {
        f"originals/x-{SEQUENCE}.zip": file.getvalue(),
        f"delivered/a-{SEQUENCE}.txt": text,
        f"delivered/sub/b-{SEQUENCE}.txt": text,
    }
    assert list((made.data / "from").iterdir()) == []


def test_the_message_that_was_sent_is_the_one_that_is_archived_e32_e36(hub, transaction, tmp_path):
    """Encryption never makes the same bytes twice: the copy is that of what was delivered."""
    partner = Partner()
    try:
        partner.make("acme")
        (tmp_path / "acme").write_text(partner.public("acme"))
        one = transaction("one", archive=BOTH, openpgp={"encrypt": ["acme"]}, destination={"files": "*.pgp"})
        made = dock(
            hub, {"a.txt": TEXT}, one, openpgp={"acme": {"public": {"file": "acme"}}}, reader=Reader(tmp_path, {})
        )
        assert finished(made).findtext("completionStatus") == "Successful", log(made)
        sent = (made.data / "to" / "a.txt.pgp").read_bytes()
        assert tree(made.data / "archive") == {
            f"originals/a-{SEQUENCE}.txt": TEXT, f"delivered/a.txt-{SEQUENCE}.pgp": sent,
        }  # fmt: skip
        assert partner.gpg("--decrypt", given=sent, passphrase=PASSPHRASE).stdout == TEXT
        assert all(isinstance(key, Key) for key in made.service.configuration.keys.values())
    finally:
        partner.close()


def test_what_a_killed_job_left_in_an_archive_is_swept_e14_e27(hub, transaction):
    """The removal of a job's temporary files looks into its archives too."""
    made = dock(hub, {"a.txt": b"a"}, transaction("one", archive=BOTH))
    assert finished(made).findtext("completionStatus") == "Successful"
    (definition,) = made.service.configuration.transactions
    order = JobOrder(sequence=1, transfer_id="0" * 48, definition=definition, variables={}, began_at=0)
    left = made.data / "archive" / "delivered" / f".a.{order.token}.part"
    other = made.data / "archive" / "delivered" / ".a.0000000000000002.part"
    for path in (left, other):
        path.write_bytes(b"x")
    endpoints = made.service.follower.current.means(definition)["endpoints"]
    channel = SimpleNamespace(ask=lambda _kind, _data: [])
    assert sweep(channel, {"job": order.to_json(), "endpoints": endpoints})["problem"] == ""
    assert [left.exists(), other.exists()] == [False, True]


def test_a_job_that_is_terminated_leaves_nothing_behind_e8_e27(hub, transaction, tmp_path):
    """Amid packing and encrypting: no file of any name at the destination or in the archives, sources there."""
    partner = Partner()
    try:
        partner.make("acme")
        (tmp_path / "acme").write_text(partner.public("acme"))
        slow = transaction(
            "slow", archive=BOTH, compress={"zip": "x.zip"}, openpgp={"encrypt": ["acme"]}, bandwidth="256KiB/s",
            delete_source=True,
        )  # fmt: skip
        files = {f"{number}.bin": os.urandom(2 << 20) for number in range(3)}
        made = dock(
            hub, files, slow, openpgp={"acme": {"public": {"file": "acme"}}}, reader=Reader(tmp_path, {})
        )  # fmt: skip
        private = made.service.follower.current.private
        with made.work():
            made.run("slow")
            wait_until(lambda: any((made.data / "to").iterdir()), what="the beginning of the archive")
            assert made.call("terminate", ("transactionName", "slow")).status == 200
            assert made.finished("slow").findtext("completionStatus") == "Terminated"
            wait_until(lambda: not any((made.data / "to").iterdir()), what="the removal of the unfinished archive")
        with made.work():
            made.ready()
        assert tree(made.data / "from") == files
        assert not (made.data / "archive").exists()
        assert list(private.iterdir()) == []
    finally:
        partner.close()
