"""Files in ASCII mode, numbered names, and the time of a file's last modification."""

import json
import os

from mft_common.events.backlog import OUTBOX
from tests.servers.diplomat_jobs import dock, finished
from tests.servers.pyftpd import PASSWORD, USER, Pyftpd

LINES = b"first line of a text\r\nsecond line of a text\r\n\xff\x85no UTF-8\rstays\nlast"


def test_ascii_makes_the_line_ends_of_the_destination_e21(hub, transaction):
    """LF and CR LF become what the endpoint says, LF by default, and no other byte of a file changes."""
    dos = transaction("dos", mode="ascii", destination={"url": "endpoint:dos"})
    made = dock(
        hub, {"a.txt": LINES}, transaction("unix", mode="ascii"), dos,
        endpoints={"dos": {"url": "file:dos", "line_ends": "crlf"}},
    )  # fmt: skip
    assert finished(made, name="unix").findtext("completionStatus") == "Successful"
    assert finished(made, name="dos").findtext("completionStatus") == "Successful"
    unix = LINES.replace(b"\r\n", b"\n")
    assert (made.data / "to" / "a.txt").read_bytes() == unix
    assert (made.data / "dos" / "a.txt").read_bytes() == unix.replace(b"\n", b"\r\n")


def test_the_size_of_a_converted_file_is_its_sources_and_events_have_both_68(hub, transaction):
    """The history has the bytes of the source; size and digest of either side are in the event of the transfer."""
    made = dock(hub, {"a.txt": LINES}, transaction("one", mode="ascii"))
    assert finished(made).find("fileHistory").findtext("size") == str(len(LINES))
    (event,) = made.rows(f"SELECT data FROM {OUTBOX.name} WHERE type = 'transfer.ended.v1'")
    (item,) = json.loads(event.data)["items"]
    assert (item["source"]["size"], item["destination"]["size"]) == (len(LINES), len(LINES) - 2)
    assert item["source"]["sha256"] != item["destination"]["sha256"]


def test_a_server_of_ftp_converts_text_itself_e21(hub, transaction, tmp_path):
    """The text goes with the transfer type of ASCII, CR LF on the wire, and comes back the same way."""
    (tmp_path / "password").write_text(PASSWORD)
    with Pyftpd(tmp_path / "ftp") as server:
        partner = {
            "url": f"ftp://{USER}@localhost:{server.port}/",
            "password": {"file": str(tmp_path / "password")},
        }
        there = transaction("there", mode="ascii", destination={"url": "endpoint:ftp"})
        back = transaction("back", mode="ascii", source={"url": "endpoint:ftp"})
        made = dock(hub, {"a.txt": LINES}, there, back, endpoints={"ftp": partner})
        assert finished(made, name="there").findtext("completionStatus") == "Successful"
        # The server is one of this system: its own convention is LF.
        assert (server.root / "a.txt").read_bytes() == LINES.replace(b"\r\n", b"\n")
        (server.root / "a.txt").rename(server.root / "b.txt")
        assert finished(made, name="back").findtext("completionStatus") == "Successful"
    assert (made.data / "to" / "b.txt").read_bytes() == LINES.replace(b"\r\n", b"\n")


def test_a_size_outside_the_tolerance_is_a_warning_after_the_retries_and_keeps_the_source_e21_74(hub, transaction):
    """Half of the bytes are gone: tried twice more, delivered all the same, and the source is not deleted."""
    made = dock(hub, {"a.txt": b"\r\n" * 50, "b.txt": LINES}, transaction("one", mode="ascii", delete_source=True))
    job = finished(made)
    assert job.findtext("completionStatus") == "Warning"
    ends = [(one.findtext("completionStatus"), one.findtext("numRetries")) for one in job.iter("fileHistory")]
    assert ends == [("Warning", "2"), ("Successful", "0")]
    assert (made.data / "to" / "a.txt").read_bytes() == b"\n" * 50
    assert sorted(os.listdir(made.data / "from")) == ["a.txt"]  # noqa: PTH208
    assert any("more than 10 % apart" in row.text for row in made.rows("SELECT text FROM job_log"))


def test_without_ascii_mode_no_byte_changes_and_sizes_may_be_anything(hub, transaction):
    """Binary is the default."""
    made = dock(hub, {"a.txt": b"\r\n" * 50}, transaction("one"))
    assert finished(made).findtext("completionStatus") == "Successful"
    assert (made.data / "to" / "a.txt").read_bytes() == b"\r\n" * 50


def test_if_exists_number_gives_the_first_free_name(hub, transaction):
    """The name, then `a-1.txt`, `a-2.txt`; the history has the name that the file got, and nothing is replaced."""
    made = dock(hub, {"a.txt": b"new", "none": b"n"}, transaction("one", destination={"if_exists": "number"}))
    (made.data / "to" / "a.txt").write_bytes(b"old")
    names = [[one.findtext("destination") for one in finished(made).iter("fileHistory")] for _ in range(2)]
    assert names == [["a-1.txt", "none"], ["a-2.txt", "none-1"]]
    found = {path.name: path.read_bytes() for path in (made.data / "to").iterdir()}
    assert found == {"a.txt": b"old", "a-1.txt": b"new", "a-2.txt": b"new", "none": b"n", "none-1": b"n"}


def test_the_summary_has_the_last_modification_of_each_file_45(hub, transaction):
    """As yyyyMMdd.HHmmss in the time zone of the logs."""
    made = dock(hub, {"a.txt": b"x"}, transaction("one"), diplomat={"logs": {"time_zone": "Europe/Amsterdam"}})
    os.utime(made.data / "from" / "a.txt", (1_772_000_000, 1_772_000_000))
    finished(made)
    summary = made.call("summary", ("transactionName", "one")).text("summary")
    assert "  a.txt, 20260225.071320, 1 bytes, Successful" in summary.splitlines()
