"""Jobs that pack their files into one archive, and jobs that unpack archives (E35)."""

import io
import json
import os
import stat
import zipfile

import pytest

from mft_common.config import Reader
from mft_common.events.backlog import OUTBOX
from tests.servers.diplomat_jobs import dock, finished, log, tree
from tests.servers.gnupg import PASSPHRASE, Partner


def _zip(members, **infos):
    """Return an archive; `infos` are attributes of each member's record."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            for attribute, value in infos.items():
                setattr(info, attribute, value)
            archive.writestr(info, content)
    return file.getvalue()


def test_all_found_files_go_in_one_archive_e35(hub, transaction):
    """One archive, its name with variables, members by name; each file has a record, and the sources are deleted."""
    one = transaction(
        "one", compress={"zip": "orders-<%day%>.zip"}, variables={"day": "x"}, delete_source=True,
        destination={"files": "in-*"},
    )  # fmt: skip
    made = dock(hub, {"b.txt": b"bb" * 9, "a.txt": b"a"}, one)
    job = finished(made, ("var", "day|monday"))
    assert job.findtext("completionStatus") == "Successful"
    assert (job.findtext("filesFound"), job.findtext("filesSuccessful")) == ("2", "2")
    records = [[one.findtext(tag) for tag in ("source", "destination", "size")] for one in job.iter("fileHistory")]
    assert sorted(records) == [["a.txt", "in-orders-monday.zip", "1"], ["b.txt", "in-orders-monday.zip", "18"]]
    assert [path.name for path in (made.data / "to").iterdir()] == ["in-orders-monday.zip"]
    with zipfile.ZipFile(made.data / "to" / "in-orders-monday.zip") as archive:
        assert [(info.filename, archive.read(info)) for info in archive.infolist()] == [
            ("a.txt", b"a"),
            ("b.txt", b"bb" * 9),
        ]
    assert list((made.data / "from").iterdir()) == []
    (event,) = made.rows(f"SELECT data FROM {OUTBOX.name} WHERE type = 'transfer.ended.v1'")
    items = json.loads(event.data)["items"]
    assert {item["destination"]["size"] for item in items} == {items[0]["destination"]["size"]}
    assert len({item["source"]["sha256"] for item in items}) == 2


@pytest.mark.parametrize("more", [{"compress": {"zip": "<%n%>"}}, {"destination": {"files": "<%n%>"}}])
def test_a_variable_that_makes_an_empty_name_moves_nothing_a27_e26(hub, transaction, more):
    """The value may be empty: the job is a Failure with that reason, and no file goes unpacked or half named."""
    made = dock(hub, {"a": b"a"}, transaction("one", delete_source=True, **more))
    job = finished(made, ("var", "n|"))
    assert (job.findtext("completionStatus"), job.findtext("filesFound")) == ("Failure", "1")
    assert job.find("fileHistory") is None
    assert any("The name at the destination is empty" in text for text in log(made))
    assert tree(made.data / "to") == {}
    assert tree(made.data / "from") == {"a": b"a"}


def test_variables_of_the_archives_name_are_checked_a31_a28(hub, transaction):
    """A value that makes a path is 400, one that is missing is a Warning in the log."""
    made = dock(hub, {"a": b"a"}, transaction("one", compress={"zip": "<%n%>"}))
    for value in ("a/b", ".."):
        assert made.call("runNow", ("transactionName", "one"), ("var", f"n|{value}")).status == 400
    assert finished(made).findtext("completionStatus") == "Successful"
    assert any("The variable n has no value" in text for text in log(made))


def test_an_archive_that_cannot_be_made_or_delivered_moves_nothing_e27(hub, transaction):
    """A name that no archive may hold, and a destination that is taken: every file is a Failure and stays."""
    bad = transaction("bad", compress={"zip": "x.zip"}, source={"files": ["back*"]})
    taken = transaction(
        "taken", compress={"zip": "y.zip"}, source={"files": ["*.txt"]}, destination={"if_exists": "fail"},
        delete_source=True,
    )  # fmt: skip
    made = dock(hub, {"back\\slash": b"x", "a.txt": b"a", "b.txt": b"b"}, bad, taken)
    (made.data / "to" / "y.zip").write_bytes(b"old")
    assert finished(made, name="bad").findtext("completionStatus") == "Failure"
    job = finished(made, name="taken")
    assert (job.findtext("completionStatus"), job.findtext("filesFailed")) == ("Failure", "2")
    assert tree(made.data / "to") == {"y.zip": b"old"}
    assert sorted(os.listdir(made.data / "from")) == ["a.txt", "b.txt", "back\\slash"]  # noqa: PTH208


def test_text_is_converted_inside_the_archive_and_a_size_beyond_the_tolerance_keeps_its_source_74(hub, transaction):
    """The archive itself is no text; the file whose size is out of the tolerance has a Warning, the other none."""
    one = transaction("one", compress={"zip": "x.zip"}, mode="ascii", delete_source=True)
    made = dock(hub, {"a.txt": b"a long line of text\r\n", "b.txt": b"\r\n" * 50}, one)
    job = finished(made)
    assert job.findtext("completionStatus") == "Warning"
    with zipfile.ZipFile(made.data / "to" / "x.zip") as archive:
        assert archive.read("a.txt") == b"a long line of text\n"
        assert archive.read("b.txt") == b"\n" * 50
    assert [path.name for path in (made.data / "from").iterdir()] == ["b.txt"]


def test_the_members_of_an_archive_become_files_e35(hub, transaction):
    """In the folders that they have in the archive, with the template on their names; one record for the archive."""
    one = transaction(
        "one", direction="inbound", compress={"unzip": True}, destination={"files": "*.in"}, delete_source=True,
        mode="ascii",
    )  # fmt: skip
    made = dock(hub, {"x.zip": _zip({"a.txt": b"a long line of text\r\n", "sub/": b"", "sub/deep/b.txt": b"b"})}, one)
    job = finished(made)
    assert job.findtext("completionStatus") == "Successful", log(made)
    assert (job.findtext("filesFound"), job.findtext("filesSuccessful")) == ("1", "1")
    assert tree(made.data / "to") == {"a.txt.in": b"a long line of text\n", "sub/deep/b.txt.in": b"b"}
    assert list((made.data / "from").iterdir()) == []
    assert any("Delivered sub/deep/b.txt of x.zip as sub/deep/b.txt.in: 1 bytes" in text for text in log(made))
    assert any("Unpacked x.zip" in text and "2 file(s), 21 bytes" in text for text in log(made))


LINK = {"external_attr": (stat.S_IFLNK | 0o777) << 16}


@pytest.mark.parametrize(
    ("content", "words", "options"),
    [
        (_zip({"a": b"a", "../b": b"b"}), "the whole archive is refused", {}),
        (_zip({"a": b"a", "/b": b"b"}), "the whole archive is refused", {}),
        (_zip({"a": b"a", "b": b"/etc"}, **LINK), "the whole archive is refused", {}),
        (_zip({"a": b"a", ".x.0000000000000042.part": b"b"}), "the form of unfinished files", {}),
        (_zip({"a": b"a" * 100, "b": b"b"}), "100 are allowed", {"limit": 100}),
        (_zip({"a": b"a", "b": b"b"}), "1 are allowed", {"members": 1}),
        (_zip({"a": bytes(3 << 20)}), "more than 200 times", {}),
        (_zip({"a": b"a" * 99, "b": b"b"})[:-30], "damaged", {}),
        (b"no archive", "no zip archive", {}),
    ],
)
def test_a_bad_archive_is_refused_as_a_whole_and_stays_e35_75(hub, transaction, content, words, options):
    """No member arrives, not even a good one before the bad; another archive of the job does."""
    one = transaction("one", direction="inbound", compress={"unzip": True, **options}, delete_source=True)
    made = dock(hub, {"bad.zip": content, "good.zip": _zip({"good": b"g"})}, one)
    job = finished(made)
    assert (job.findtext("completionStatus"), job.findtext("filesFailed")) == ("Failure", "1")
    assert any("Failed: " in text and words in text for text in log(made))
    assert tree(made.data / "to") == {"good": b"g"}
    assert [path.name for path in (made.data / "from").iterdir()] == ["bad.zip"]


def test_a_member_that_cannot_be_delivered_fails_its_archive_and_stops_no_other_e25(hub, transaction):
    """The archive's source stays, and the other members are there."""
    one = transaction("one", direction="inbound", compress={"unzip": True}, destination={"if_exists": "fail"})
    made = dock(hub, {"x.zip": _zip({"a": b"a", "b": b"b", "c": b"c"})}, one)
    (made.data / "to" / "b").write_bytes(b"old")
    assert finished(made).findtext("completionStatus") == "Failure"
    assert tree(made.data / "to") == {"a": b"a", "b": b"old", "c": b"c"}
    assert any("1 of 3 members did not arrive" in text for text in log(made))


def test_numbered_members_replace_nothing(hub, transaction):
    """`if_exists: number` counts for members too."""
    one = transaction("one", direction="inbound", compress={"unzip": True}, destination={"if_exists": "number"})
    made = dock(hub, {"x.zip": _zip({"s/a.txt": b"new"})}, one)
    for _ in range(2):
        assert finished(made).findtext("completionStatus") == "Successful"
    assert tree(made.data / "to") == {"s/a.txt": b"new", "s/a-1.txt": b"new"}


def test_packed_then_encrypted_there_and_decrypted_then_unpacked_back_e32(hub, transaction, tmp_path):
    """The order of section 5, both ways: the partner decrypts a zip, and their encrypted zip becomes files."""
    partner = Partner()
    try:
        for name in ("ours", "acme"):
            partner.make(name)
        (tmp_path / "ours").write_text(partner.secret("ours"))
        (tmp_path / "acme").write_text(partner.public("acme"))
        section = {
            "ours": {"secret": {"file": "ours"}, "passphrase": {"env": "P"}},
            "acme": {"public": {"file": "acme"}},
        }
        there = transaction(
            "there", compress={"zip": "x.zip"}, openpgp={"encrypt": ["acme"], "sign": "ours"},
            destination={"files": "*.pgp"}, source={"files": ["*.txt"]},
        )  # fmt: skip
        back = transaction(
            "back", direction="inbound", compress={"unzip": True}, openpgp={"decrypt": "ours", "verify": ["acme"]},
            source={"files": ["*.pgp"]}, destination={"url": "file:back"},
        )  # fmt: skip
        options = ["--sign", "-u", "acme@example.org", "--encrypt", "-r", "ours@example.org"]
        message = partner.gpg(*options, given=_zip({"m.txt": b"m"})).stdout
        reader = Reader(tmp_path, {"P": PASSPHRASE})
        files = {"a.txt": b"a", "b.txt": b"b", "m.zip.pgp": message, "n.zip.pgp": message[:-30]}
        made = dock(hub, files, there, back, openpgp=section, reader=reader)
        assert finished(made, name="there").findtext("completionStatus") == "Successful"
        plain = partner.gpg("--decrypt", given=(made.data / "to" / "x.zip.pgp").read_bytes()).stdout
        with zipfile.ZipFile(io.BytesIO(plain)) as archive:
            assert archive.namelist() == ["a.txt", "b.txt"]
        assert finished(made, name="back").findtext("filesFailed") == "1"
        assert tree(made.data / "back") == {"m.txt": b"m"}
    finally:
        partner.close()


def test_archives_with_a_member_of_one_name_do_not_replace_each_others_e26(hub, transaction):
    """The second archive is a Failure as a whole and stays, also in the next attempt; the first member is there."""
    retries = {"file": 0, "job": 1, "job_delay": "0s"}
    one = transaction("one", direction="inbound", compress={"unzip": True}, delete_source=True, retries=retries)
    files = {"a.zip": _zip({"x.txt": b"first"}), "b.zip": _zip({"new.txt": b"new", "x.txt": b"second"})}
    made = dock(hub, files, one)
    job = finished(made)
    assert job.findtext("completionStatus") == "Failure"
    assert tree(made.data / "to") == {"x.txt": b"first"}
    assert tree(made.data / "from") == {"b.zip": files["b.zip"]}
