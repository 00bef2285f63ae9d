"""The search for secrets after each test finds what it looks for."""

import base64
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from urllib.parse import quote

import pytest

from tests.servers.made_secrets import note_key, secret, traces
from tests.servers.secret_search import found_after_test, found_in_processes, watch_log, watch_processes

LABEL = "a secret of these tests"
SHOWN = secret(LABEL)
KEY = "-----BEGIN PRIVATE KEY-----\n" + "\n".join(letter * 64 for letter in "QRST") + "\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("after", range(4))
def test_a_secret_is_found_in_every_form(before, after):
    """As it is, percent-encoded, in JSON, and in Base64 whatever stands beside it."""
    around = os.urandom(before) + SHOWN.encode() + os.urandom(after)
    texts = [
        around,
        quote(SHOWN, safe="").encode(),
        json.dumps({"password": SHOWN}).encode(),
        base64.b64encode(around),
        base64.urlsafe_b64encode(around),
    ]
    for text in texts:
        assert any(label.startswith(LABEL) for label in traces(text)), text
    assert traces(b"no secret " * 100) == []


def test_a_line_of_a_private_key_is_found():
    """One line suffices; the marks around a key do not."""
    note_key("a key of these tests", KEY)
    assert traces(b"x" + b"S" * 64) == ["a key of these tests (as it is)"]
    assert traces(b"-----BEGIN PRIVATE KEY-----") == []


def test_output_logs_and_databases_are_looked_at_once(tmp_path):
    """A new line of a log, a value of a row and captured output are named; the next search begins behind them."""
    log = watch_log(tmp_path / "program.log")
    log.write_text(f"connecting with {SHOWN}\n")
    with contextlib.closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        connection.execute("CREATE TABLE jobs (definition TEXT)")
        connection.execute("INSERT INTO jobs VALUES (?)", (json.dumps({"password": SHOWN}),))
        connection.commit()
    where = {one.partition(":")[0] for one in found_after_test(f"said {SHOWN}", tmp_path)}
    assert where == {"program.log", "state.db", "output"}
    (tmp_path / "log-views").mkdir()
    (tmp_path / "log-views" / "view").write_text(SHOWN)
    assert {one.partition(":")[0] for one in found_after_test("", tmp_path)} == {"view", "state.db"}
    (tmp_path / "log-views" / "view").unlink()
    (tmp_path / "state.db").unlink()
    assert found_after_test("nothing", tmp_path) == []


def test_arguments_and_environments_of_processes_are_looked_at():
    """A program with a secret in its arguments and its environment is found by both."""
    command = [sys.executable, "-c", "print(flush=True); input()", SHOWN]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"X": SHOWN}) as process:
        process.stdout.readline()
        found = found_in_processes([process.pid])
        watch_processes([process.pid])
        process.communicate(b"\n")
    assert [one.partition(" ")[0] for one in found] == ["cmdline", "environ"]
    assert found_after_test("", None) == found
    assert found_after_test("", None) == []
