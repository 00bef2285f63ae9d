"""`crossdock transfer watch|cancel`, and `submit --watch`, over a hub's database."""

import io
import json
import os
import pty
import signal
import subprocess
import sys
import threading
from contextlib import suppress

import pytest
from rich.console import Console

from crossdock.transfers import opened
from crossdock.transfers.watching import watch
from mft_common.clock import now_ms
from mft_common.events import Item, Side, Totals
from mqmft_svc.store import managed as store
from tests.servers.processes import wait_until
from tests.service.crossdock.transfers.transfer_hub import WORDS, managed, on_both_databases, whole
from tests.service.mqmft_svc.mqmft_hub import ended, envelope, progressed, started, transfer_id


@on_both_databases
def test_a_transfer_that_waits_is_taken_back(hub, run, submitted):
    """It has ended as `deleted`, a second request says so, and one who waits for it gets exit code 5."""
    id_ = submitted()
    result = run("cancel", id_.lower()[-16:])
    assert (result.exit_code, result.output) == (0, "")
    assert whole(hub, id_)["status"]["state"] == "deleted"
    assert run("watch", id_).exit_code == 5
    again = run("cancel", id_)
    assert (again.exit_code, "has ended already" in again.stderr) == (2, True)
    other = run("cancel", hub.upload(1))
    assert (other.exit_code, "protocol http-mft" in other.stderr) == (2, True)


def test_a_running_transfer_is_asked_to_stop(hub, run, submitted):
    """Its worker reads the request."""
    id_ = submitted()
    with hub.service.database.write() as connection:
        store.update(connection, id_, status="running", began_at=now_ms())
    assert run("cancel", id_).exit_code == 0
    assert managed(hub, id_).stop == "cancelled"


def two_files(**changes):
    """Return the items of a transfer of two files of 1,000 bytes each."""
    side = Side(type="file", path="a", size=1000)
    return tuple(Item(index=index, state="inProgress", source=side, destination=side, **changes) for index in (0, 1))


@pytest.mark.parametrize(
    ("state", "code"),
    [("successful", 0), ("partiallySuccessful", 4), ("failed", 1), ("cancelled", 5), ("malformed", 1)],
)
@pytest.mark.parametrize("form", ["table", "json"])
def test_the_exit_code_tells_the_end(hub, run, state, code, form):
    """The command draws no bar where stderr is no terminal; one line there tells why a transfer did not succeed."""
    id_ = transfer_id(1)
    hub.tell(envelope(ended(1, state=state), 1))
    result = run("watch", id_[-16:], "--format", form)
    assert result.exit_code == code, result.output
    assert len(result.stderr.splitlines()) == (1 if code else 0)
    if form == "json":
        assert json.loads(result.stdout) == whole(hub, id_)
    else:
        assert result.stdout.splitlines()[1].split()[:2] == [id_[-16:], state]


@pytest.mark.parametrize("form", ["table", "json"])
def test_the_reasons_of_the_first_items_that_failed_are_told(hub, run, form):
    """Three lines on stderr with source and reason, and how many more there are."""
    items = tuple(
        Item(
            index=index, state="successful" if index == 1 else "failed", destination=Side(type="file", path="b"),
            description="" if index == 1 else "BFGIO0006E: b: exists already.",
            source=Side(type="file", path=f"a{index}\n"),
        ) for index in range(6)
    )  # fmt: skip
    hub.tell(envelope(ended(1, state="partiallySuccessful", items=items, totals=Totals(files=6, failures=5)), 1))
    lines = run("watch", transfer_id(1)[-16:], "--format", form).stderr.splitlines()
    assert lines[0].startswith("crossdock: partiallySuccessful: BFGRP0033I")
    assert lines[1:] == [
        *(rf"crossdock: a{index}\n: BFGIO0006E: b: exists already." for index in (0, 2, 3)),
        f"crossdock: 2 more: crossdock transfer show {transfer_id(1)[-16:]}",
    ]


def test_a_submitted_transfer_is_watched(hub, run):
    """The id comes at once, the row of the transfer at its end."""
    end = threading.Thread(target=lambda: _end_the_queued_one(hub))
    end.start()
    try:
        result = run("submit", *WORDS, "a", "b", "--watch")
    finally:
        end.join()
    id_, head, row = result.stdout.splitlines()
    assert (result.exit_code, head.split()[0]) == (5, "ID")
    assert row.split()[:2] == [id_[-16:], "deleted"]


def _end_the_queued_one(hub):
    wait_until(lambda: hub.mft().json["transfer"], what="the transfer")
    hub.service.operations.submitting.cancel(hub.mft().json["transfer"][0]["id"])


def test_the_bar_shows_the_bytes_of_all_files(hub, tmp_path, database):
    """Once the sizes of all files are known the bar has an end; it goes on until the transfer is over."""
    screen = io.StringIO()
    hub.tell(envelope(started(1), 1))
    totals = Totals(files=2, successes=1, bytes_sent=1500)
    hub.tell(envelope(progressed(1, totals=totals, items=two_files()), 2))

    def end():
        try:
            wait_until(lambda: "1.5/2.0 KiB" in screen.getvalue(), what="the bar")
        finally:
            hub.tell(envelope(ended(1, totals=totals, items=two_files()), 3))

    thread = threading.Thread(target=end)
    thread.start()
    with opened(tmp_path, database) as access:
        found = watch(access, transfer_id(1), Console(file=screen, force_terminal=True, width=120))
    thread.join()
    assert found.state == "successful"
    assert f"{transfer_id(1)[-16:]} inProgress 1/2" in screen.getvalue()


@on_both_databases
def test_ctrl_c_ends_the_command_and_not_the_transfer(hub, tmp_path, database, submitted):
    """On a terminal there is a bar; exit code 130."""
    id_ = submitted()
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "crossdock", "transfer", "watch", id_, "--data", str(tmp_path)],
        env={**os.environ, **database, "TERM": "xterm"}, stderr=theirs,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        os.close(theirs)
        text = b""
        while b"started 0/" not in text:
            text += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        with suppress(OSError):
            while more := os.read(ours, 4096):
                text += more
    finally:
        process.kill()
        process.communicate()
        os.close(ours)
    assert f"transfer {id_} goes on".encode() in text
    assert managed(hub, id_).status == "queued"
