"""Files that are delivered and whose copies or other members are missing: no later attempt delivers them again."""

import json

import pytest

from mft_common.config import Reader
from tests.servers.diplomat_jobs import archive_of, log, tree
from tests.servers.gnupg import PASSPHRASE, Partner
from tests.service.diplomat_svc.cut_attempts import (
    BOTH,
    LARGE,
    LINE,
    SEQUENCE,
    SLOW,
    attempt,
    configured,
    kill_child,
    kill_worker,
    next_attempt,
    part_in,
    take_all,
)


@pytest.mark.parametrize("strike", [kill_worker, kill_child])
@pytest.mark.parametrize("mode", ["binary", "ascii"])
def test_a_kill_amid_a_copy_delivers_nothing_again_e14_e36(hub, transaction, runner, strike, mode):
    """The next attempt writes the missing copies, deletes the sources, and leaves the emptied destination empty."""
    one = transaction("one", archive=BOTH, mode=mode, **SLOW)
    made = configured(hub, {"a": LINE, "large": LARGE}, one)
    strike(made, runner, lambda: part_in(made.data / "archive" / "originals"))
    delivered = {"a": LINE, "large": LARGE}
    if mode == "ascii":
        delivered = {name: content.replace(b"\r\n", b"\n") for name, content in delivered.items()}
    assert take_all(made) == delivered
    assert tree(made.data / "from") == {"a": LINE, "large": LARGE}
    assert next_attempt(made) == "Successful", log(made)
    assert tree(made.data / "to") == {}
    assert tree(made.data / "archive") == {
        **{f"originals/{name}-{SEQUENCE}": content for name, content in {"a": LINE, "large": LARGE}.items()},
        **{f"delivered/{name}-{SEQUENCE}": content for name, content in delivered.items()},
    }
    assert tree(made.data / "from") == {}
    assert sum("; Delivered " in text for text in log(made)) == 2


def test_a_kill_amid_the_copies_of_a_packed_archive_delivers_it_once_e35_e36(hub, transaction, runner):
    """The archive that the next attempt copies is byte for byte the one that was delivered."""
    made = configured(
        hub, {"a": b"a", "large": LARGE}, transaction("one", archive=BOTH, compress={"zip": "x.zip"}, **SLOW)
    )
    kill_worker(made, runner, lambda: part_in(made.data / "archive" / "delivered"))
    taken = take_all(made)
    assert next_attempt(made) == "Successful", log(made)
    assert tree(made.data / "to") == {}
    assert tree(made.data / "archive") == {
        f"originals/a-{SEQUENCE}": b"a",
        f"originals/large-{SEQUENCE}": LARGE,
        f"delivered/x-{SEQUENCE}.zip": taken["x.zip"],
    }
    assert tree(made.data / "from") == {}


@pytest.mark.parametrize("taken", [False, True], ids=["still-there", "taken"])
def test_a_message_is_copied_from_the_destination_or_is_a_warning_e34_e36(hub, transaction, runner, tmp_path, taken):
    """Encryption makes no message twice: one that was taken cannot be archived, is not sent again, and stays."""
    partner = Partner()
    try:
        partner.make("acme")
        (tmp_path / "acme").write_text(partner.public("acme"))
        one = transaction("one", archive=BOTH, openpgp={"encrypt": ["acme"]}, destination={"files": "*.pgp"}, **SLOW)
        keys = {"acme": {"public": {"file": "acme"}}}
        made = configured(hub, {"large": LARGE}, one, openpgp=keys, reader=Reader(tmp_path, {}))
        kill_child(made, runner, lambda: part_in(made.data / "archive" / "delivered"))
        sent = take_all(made) if taken else tree(made.data / "to")
        assert next_attempt(made) == ("Warning" if taken else "Successful"), log(made)
        assert tree(made.data / "to") == ({} if taken else sent)
        copies = {f"originals/large-{SEQUENCE}": LARGE}
        copies |= {} if taken else {f"delivered/large-{SEQUENCE}.pgp": sent["large.pgp"]}
        assert tree(made.data / "archive") == copies
        assert tree(made.data / "from") == ({"large": LARGE} if taken else {})
        assert partner.gpg("--decrypt", given=sent["large.pgp"], passphrase=PASSPHRASE).stdout == LARGE
    finally:
        partner.close()


def test_a_source_that_changed_amid_its_copies_is_delivered_anew_b17(hub, transaction, runner):
    """The new version is another file: it is delivered and archived, and then its source is deleted."""
    made = configured(hub, {"large": LARGE}, transaction("one", archive=BOTH, **SLOW))
    kill_worker(made, runner, lambda: part_in(made.data / "archive" / "originals"))
    take_all(made)
    (made.data / "from" / "large").write_bytes(b"another version")
    assert next_attempt(made) == "Successful", log(made)
    assert tree(made.data / "to") == {"large": b"another version"}
    assert set(tree(made.data / "archive").values()) == {b"another version"}
    assert tree(made.data / "from") == {}


def test_a_source_that_is_gone_before_its_copies_were_made_is_a_warning_74(hub, transaction, runner):
    """The file is delivered, and the log says that its archives lack it."""
    made = configured(hub, {"large": LARGE}, transaction("one", archive=BOTH, **SLOW))
    kill_worker(made, runner, lambda: part_in(made.data / "archive" / "originals"))
    (made.data / "from" / "large").unlink()
    assert next_attempt(made) == "Warning", log(made)
    assert any("large is gone since an earlier attempt delivered it; not all its copies" in text for text in log(made))


def test_a_job_that_ends_amid_its_copies_says_what_is_missing_e36(hub, transaction, runner):
    """No further attempt follows: the log names the file that was delivered, and its source stays."""
    one = transaction("one", archive=BOTH, **{**SLOW, "retries": {"file": 0}})
    made = configured(hub, {"large": LARGE}, one)
    kill_worker(made, runner, lambda: part_in(made.data / "archive" / "originals"))
    with made.work():
        assert made.finished("one").findtext("completionStatus") == "Incomplete"
    text = "large was delivered as large; not all its copies are archived."
    assert [text in one for one in log(made)].count(True) == 1
    assert tree(made.data / "from") == {"large": LARGE}


MEMBERS = {name: name.encode() for name in ("a", "b", "sub/c", "d", "e")}


@pytest.mark.parametrize("if_exists", ["replace", "fail", "number"])
def test_a_member_that_failed_is_delivered_in_the_next_attempt_and_the_others_are_not_e35(later, if_exists):
    """Each member is delivered once and each copy made once; then the archive's source is deleted."""
    made = later(
        {"x.zip": archive_of(MEMBERS)}, direction="inbound", archive=BOTH, compress={"unzip": True},
        destination={"if_exists": if_exists},
    )  # fmt: skip
    (made.data / "to" / "sub").write_bytes(b"a file where a folder should be")
    with made.work():
        attempt(made, 1, later)
        assert {**MEMBERS, "sub": b"a file where a folder should be"}.items() >= take_all(made).items()
        assert tree(made.data / "from") == {"x.zip": archive_of(MEMBERS)}
        later.now[0] += 700_000
        job = made.finished("one")
    assert job.findtext("completionStatus") == "Successful", log(made)
    assert tree(made.data / "to") == {"sub/c": b"sub/c"}
    assert sum("; Delivered " in text for text in log(made)) == 5
    names = [f"{name}-{SEQUENCE}" for name in MEMBERS]
    copies = dict(zip([f"delivered/{name}" for name in names], MEMBERS.values(), strict=True))
    assert tree(made.data / "archive") == {f"originals/x-{SEQUENCE}.zip": archive_of(MEMBERS), **copies}
    (file,) = made.rows("SELECT archived FROM files")
    assert json.loads(file.archived)["additional"] == [names[place] for place in (0, 1, 3, 4, 2)]
    assert tree(made.data / "from") == {}
    assert made.rows("SELECT 1 FROM members") == []


def test_an_archive_that_changed_since_is_unpacked_anew_b17(later):
    """Its members are other files, whatever their names are."""
    made = later({"x.zip": archive_of(MEMBERS)}, direction="inbound", compress={"unzip": True})
    (made.data / "to" / "sub").write_bytes(b"a file where a folder should be")
    with made.work():
        attempt(made, 1, later)
        take_all(made)
        (made.data / "from" / "x.zip").write_bytes(archive_of({"a": b"new", "b": b"b"}))
        later.now[0] += 700_000
        assert made.finished("one").findtext("completionStatus") == "Successful"
    assert tree(made.data / "to") == {"a": b"new", "b": b"b"}


def test_a_member_replaces_none_of_an_archive_of_an_earlier_attempt_e26(later):
    """The second archive was damaged in the first attempt, and is refused in the second one for its name."""
    first, second = archive_of({"x": b"first"}), archive_of({"new": b"new", "x": b"second"})
    made = later({"a.zip": first, "b.zip": second[:-30]}, direction="inbound", compress={"unzip": True})
    with made.work():
        attempt(made, 1, later)
        assert tree(made.data / "from") == {"b.zip": second[:-30]}
        (made.data / "from" / "b.zip").write_bytes(second)
        attempt(made, 2, later)
    assert tree(made.data / "to") == {"x": b"first"}
    assert any("its x would replace that of a.zip, which is of the same job" in text for text in log(made))


def test_a_warning_about_a_member_stays_in_the_next_attempt_e24(later):
    """The member is not delivered again, and its warning keeps the archive's source."""
    files = {"a": b"\r\n" * 50, "b/c": b"c"}
    made = later({"x.zip": archive_of(files)}, direction="inbound", compress={"unzip": True}, mode="ascii")
    (made.data / "to" / "b").write_bytes(b"a file where a folder should be")
    with made.work():
        attempt(made, 1, later)
        take_all(made)
        later.now[0] += 700_000
        assert made.finished("one").findtext("completionStatus") == "Warning"
    assert tree(made.data / "to") == {"b/c": b"c"}
    assert tree(made.data / "from") == {"x.zip": archive_of(files)}


@pytest.mark.parametrize("strike", [kill_worker, kill_child])
@pytest.mark.parametrize("place", ["to", "archive/delivered", "archive/originals"])
def test_a_kill_amid_an_archive_delivers_no_member_again_e14_e35(hub, transaction, runner, strike, place):
    """In the middle of a member, of a member's copy, and of the archive's copy."""
    members = {"a": b"a", "large": LARGE, "z": b"z"}
    one = transaction("one", direction="inbound", archive=BOTH, compress={"unzip": True}, **SLOW)
    made = configured(hub, {"x.zip": archive_of(members)}, one)
    strike(made, runner, lambda: part_in(made.data / place))
    (made.data / "to" / "a").unlink()
    taken = {name: content for name, content in tree(made.data / "to").items() if not name.startswith(".")}
    for name in taken:
        (made.data / "to" / name).unlink()
    assert next_attempt(made) == "Successful", log(made)
    assert tree(made.data / "to") == {name: members[name] for name in members if name not in ("a", *taken)}
    assert sum("; Delivered " in text for text in log(made)) == 3
    copies = {f"delivered/{name}-{SEQUENCE}": content for name, content in members.items()}
    assert tree(made.data / "archive") == {f"originals/x-{SEQUENCE}.zip": archive_of(members), **copies}
    assert tree(made.data / "from") == {}


def test_the_files_of_a_packed_archive_have_their_ends_together_e35(later):
    """A write that fails amid their ends leaves none with an end: the next attempt knows of all of them or of none."""
    files = {f"{number:04}": b"x" for number in range(150)}
    made = later(files, compress={"zip": "x.zip"})
    with made.service.database.write() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER fail BEFORE UPDATE OF completion ON files WHEN NEW.source = '0120' AND "
            "(SELECT attempt FROM jobs) = 1 BEGIN SELECT RAISE(ABORT, 'amid the ends'); END"
        )
    with made.work():
        attempt(made, 1, later)
        assert {row.completion for row in made.rows("SELECT completion FROM files")} == {None}
        later.now[0] += 700_000
        job = made.finished("one")
    assert (job.findtext("completionStatus"), job.findtext("filesSuccessful")) == ("Successful", "150")
    assert tree(made.data / "from") == {}
