"""The action Script: what a script is given, how it ends, and that nothing of it is left (91, 106)."""

import json
import os
import signal
import tempfile
import threading
import time
from pathlib import Path

import pytest

from mft_common.process.runner import Runner, child_environment
from sertainty_svc.operations.running.work_folder import remove_left
from tests.servers import stored_scripts
from tests.servers.stored_scripts import CHILD, order_of

VARIABLES = {
    *("PATH", "LANG", "HOME", "TMPDIR", "TASK_CONFIG", "TASK_NAME", "TASK_SOURCE", "TASK_DESTINATION", "TASK_FILE"),
    *("PARAM_customer", "PARAM_empty"),
}
SHOW = "import json, os, sys; print(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]))"


@pytest.fixture(scope="module")
def runner():
    """Return a runner with a secret in its own environment."""
    secret = {**child_environment(os.environ), "SERTAINTY_DATABASE_URL": "secret"}
    with Runner("test", [stored_scripts.__name__], environment=secret) as made:
        yield made


@pytest.fixture
def run(runner, tmp_path):
    """Return a function that runs a script, and returns its outcome and the records of its log."""

    def start(name, text, *, paths=(), **changed):
        records = []
        payload = {"order": order_of(tmp_path, name, text, **changed).to_json(), "paths": dict(paths)}
        end = runner.run(CHILD, payload, lambda _kind, data: records.extend(data)).wait(30)
        assert end.completed, end
        return end.result, records

    return start


def left(folder):
    """Return the names in the private folder of scripts."""
    return [found.name for found in (folder / "private").iterdir()]


def test_91_a_script_gets_its_file_as_its_only_argument(run, tmp_path):
    """Item 91: in a Change task the path is an argument and a variable, also of a name that is no text."""
    paths = {"source": "/in", "file": os.fsdecode(b"/in/caf\xe9 x"), "shown": os.fsdecode(b"caf\xe9 x")}
    outcome, records = run("show.py", SHOW, paths=paths)
    assert outcome == {"state": "successful", "text": ""}
    arguments, _, environment = json.loads(records[0]["text"])
    assert (arguments, environment["TASK_FILE"]) == ([paths["file"]], paths["file"])
    assert (records[0]["file"], records[0]["stream"], records[0]["level"]) == ("caf\\xe9 x", "stdout", "Info")
    assert left(tmp_path) == []


def test_91_a_run_without_a_file_has_no_argument(run):
    """Item 91: in a Time task; the variables of the folders that the task does not have are empty."""
    outcome, records = run("show.py", SHOW)
    arguments, _, environment = json.loads(records[0]["text"])
    assert outcome["state"] == "successful"
    assert arguments == []
    assert (environment["TASK_FILE"], environment["TASK_SOURCE"], environment["TASK_DESTINATION"]) == ("", "", "")


def test_106_the_environment_is_made_from_nothing(run, tmp_path):
    """Item 106: the variables of the list and no other one; the folder is its home, and private."""
    definition = {"parameters": {"customer": "47 11\n$HOME", "empty": ""}}
    paths = {"source": "/in", "destination": "/out", "file": "/in/a"}
    text = f"{SHOW}; print(oct(os.stat('.').st_mode), os.stat(__file__).st_mode & 0o777)"
    _, records = run("show.py", text, definition=definition, paths=paths)
    _, folder, environment = json.loads(records[0]["text"])
    assert environment.keys() - {"LC_CTYPE"} == VARIABLES
    assert environment["HOME"] == environment["TMPDIR"] == folder
    assert Path(folder).parent == tmp_path / "private"
    assert not Path(folder).exists()
    assert [environment[name] for name in ("PATH", "LANG", "TASK_CONFIG", "TASK_NAME", "TASK_SOURCE")] == [
        *(os.defpath, "C.UTF-8", "night", "convert", "/in"),
    ]
    assert (environment["TASK_DESTINATION"], environment["PARAM_customer"]) == ("/out", "47 11\n$HOME")
    assert records[1]["text"] == f"0o40700 {0o400}"


@pytest.mark.parametrize(
    ("text", "state", "reason"),
    [
        ("exit 0", "successful", ""),
        ("exit 75", "again", "The script asks for another try (exit code 75)."),
        ("exit 1", "failed", "The script ended with exit code 1."),
        ("kill -SEGV $$", "failed", "The script was killed by SIGSEGV."),
        ("kill -40 $$", "failed", "The script was killed by signal 40."),
    ],
)
def test_91_the_exit_code_says_how_the_script_ended(run, tmp_path, text, state, reason):
    """Item 91: 0 is success, 75 another try, everything else failure; the work folder is gone each time."""
    assert run("end.sh", text)[0] == {"state": state, "text": reason}
    assert left(tmp_path) == []


def test_91_both_streams_go_to_the_log_line_by_line(run):
    """Item 91: each line names its stream, and bytes that are no text are replaced."""
    _, records = run("talk.sh", "echo one; echo two >&2; printf 'caf\\351'")
    assert sorted((record["stream"], record["text"]) for record in records) == [
        ("stderr", "two"),
        ("stdout", "caf\ufffd"),
        ("stdout", "one"),
    ]


def test_106_output_is_cut_at_one_mebibyte_with_a_note(run):
    """Item 106: the script goes on, and the note is a warning."""
    outcome, records = run("talk.py", "print('x' * 1023 + '\\n', end='', flush=True)\n" * 1025 + "print('end')")
    assert outcome["state"] == "successful"
    assert records.pop() == {
        "text": "The output is cut after 1048576 bytes.", "level": "Warning", "file": "", "stream": "",
    }  # fmt: skip
    assert len(records) == 1024
    assert {record["text"] for record in records} == {"x" * 1023}


def test_106_a_script_whose_extension_has_no_interpreter_is_unusable(run, tmp_path):
    """Item 106: the reason says so; no interpreter is looked for anywhere else, and nothing is written."""
    for name, kind in (
        ("convert.pl", "scripts with the extension .pl"),
        ("convert", "scripts without an extension"),
        ("convert.PY", "scripts with the extension .PY"),
    ):
        outcome, _ = run(name, "#!/bin/sh\nexit 0")
        assert outcome == {"unusable": f"No interpreter is enabled for {kind}."}
    assert not (tmp_path / "private").exists()


def test_86_a_script_that_is_missing_or_cannot_begin_is_unusable(run, tmp_path):
    """Item 86: these are the task's faults, not those of a file."""
    assert run("a.sh", "", script=None)[0] == {"unusable": "There is no such script."}
    assert run("a.sh", "", interpreters={".sh": ("no-such-shell",)})[0] == {
        "unusable": "The script cannot be run: no-such-shell cannot be started: No such file or directory."
    }
    assert run("a.sh", "", script_user="no-such-user")[0] == {
        "unusable": "The script cannot be run: there is no user no-such-user."
    }
    (tmp_path / "file").touch()
    assert run("a.sh", "", private=str(tmp_path / "file" / "x"))[0] == {
        "unusable": "The script has no folder to work in: Not a directory."
    }
    assert left(tmp_path) == []


def test_106_the_setting_of_the_path_is_where_interpreters_are_looked_for(run, tmp_path):
    """Item 106: the path of the service itself has no part in it."""
    shell = tmp_path / "own-shell"
    shell.write_text('#!/bin/sh\nprintf "%s" "own $PATH"')
    shell.chmod(0o755)
    _, records = run("a.sh", "", interpreters={".sh": ("own-shell",)}, script_path=str(tmp_path))
    assert records[0]["text"] == f"own {tmp_path}"


def test_106_a_wrapper_is_put_in_front_of_the_interpreter(run):
    """Item 106: the command of a sandbox gets the interpreter, the script and the file."""
    _, records = run(
        "a.sh", 'echo "$X $1"', script_wrapper=("/usr/bin/env", "X=sandboxed"), paths={"file": "/in/two words"}
    )
    assert records[0]["text"] == "sandboxed /in/two words"


def test_106_the_limits_of_a_script_are_those_of_the_specification(run):
    """Item 106: CPU seconds of the time limit, 2 GiB of address space, 1 GiB a file, 256 files, no core; umask 077."""
    text = (
        "import os, resource\n"
        "names = ('CPU', 'AS', 'FSIZE', 'NOFILE', 'CORE')\n"
        "print([resource.getrlimit(getattr(resource, 'RLIMIT_' + name))[0] for name in names])\n"
        "print(oct(os.umask(0)))"
    )
    _, records = run("limits.py", text, definition={"time_limit_s": 7})
    assert [record["text"] for record in records] == [f"[7, {2 << 30}, {1 << 30}, 256, 0]", "0o77"]
    _, records = run("limits.py", text)
    assert records[0]["text"].startswith("[300, ")


def test_106_a_script_that_takes_too_long_is_asked_to_end(run, tmp_path):
    """Item 106: SIGTERM comes at the time limit, and the script may still clean up; its end is a failure."""
    began = time.monotonic()
    text = "trap 'echo cleaned; exit 0' TERM; while :; do sleep 0.02; done"
    outcome, records = run("slow.sh", text, definition={"time_limit_s": 2})
    assert 2 <= time.monotonic() - began < 15
    assert outcome == {"state": "failed", "text": "The script was ended after its time limit of 2 s."}
    assert [record["text"] for record in records if record["stream"] == "stdout"] == ["cleaned"]
    assert left(tmp_path) == []


def test_73_a_script_is_ended_on_request(runner, tmp_path):
    """Item 73: the outcome says that it was stopped, and its folder is gone."""
    begun = threading.Event()
    payload = {"order": order_of(tmp_path, "a.sh", "echo up; exec sleep 1000").to_json(), "paths": {}}
    handle = runner.run(CHILD, payload, lambda *_: begun.set())
    assert begun.wait(20)
    handle.stop()
    assert handle.wait(20).result["state"] == "stopped"
    assert left(tmp_path) == []


def test_106_whatever_a_script_leaves_in_its_folder_is_removed(run, tmp_path):
    """Item 106: folders too deep for a path, without any right, links out of the folder; their targets stay."""
    (tmp_path / "kept").write_text("kept")
    text = (
        "import os\nos.symlink('../../kept', 'link'); os.symlink('../..', 'folder')\n"
        "os.mkdir('closed'); open('closed/file', 'w').close(); os.mkdir('closed/inner'); os.chmod('closed/inner', 0)\n"
        "os.chmod('closed', 0)\nos.mkfifo('pipe')\n"
        "for n in range(2500): os.mkdir('deep'); os.chdir('deep')\n"
    )
    assert run("mess.py", text)[0]["state"] == "successful"
    assert left(tmp_path) == []
    assert (tmp_path / "kept").read_text() == "kept"


def test_88_the_folder_of_a_killed_run_is_found_by_its_execution(runner, tmp_path):
    """Item 88: the next attempt removes what a killed one has left, and no folder of another execution."""
    order = order_of(tmp_path, "a.sh", "echo up; exec sleep 1000")
    begun = threading.Event()
    handle = runner.run(CHILD, {"order": order.to_json(), "paths": {}}, lambda *_: begun.set())
    assert begun.wait(20)
    handle.kill()
    assert handle.wait(20).exit_code == -signal.SIGKILL
    assert len(left(tmp_path)) == 1
    other = tmp_path / "private" / f"script-{'C' * 16}-x"
    other.mkdir()
    remove_left(order)
    assert left(tmp_path) == [other.name]


def test_48_the_largest_script_that_can_be_saved_runs(run):
    """Item 48: a script of 4 MiB reaches its interpreter whole, byte for byte."""
    text = b"import sys; print(len(open(sys.argv[0], 'rb').read()))\n#".ljust(4 << 20, b"\xff")
    _, records = run("large.sh", text, interpreters={".sh": ("/usr/bin/wc", "-c")})
    assert records[0]["text"].split()[0] == str(4 << 20)


def test_106_a_script_of_another_user_works_in_a_folder_that_this_user_reaches(runner):
    """Item 106: it does not lie in the hub's state, which is closed to others; it needs the rights of root."""
    text = "id -un; pwd; touch $HOME/made && ls -l $HOME | wc -l"
    records = []
    with tempfile.TemporaryDirectory() as name:
        data = Path(name)
        data.chmod(0o711)
        payload = {"order": order_of(data, "a.sh", text, script_user="nobody").to_json(), "paths": {}}
        outcome = runner.run(CHILD, payload, lambda _kind, found: records.extend(found)).wait(20).result
        assert list((data / ".scripts").iterdir()) == []
    if os.geteuid():
        assert "Operation not permitted" in outcome["unusable"]
    else:
        user, folder, count = (record["text"] for record in records)
        assert (user, count) == ("nobody", "3")
        assert Path(folder).parent == data / ".scripts"


def test_106_the_lines_of_a_run_are_as_many_as_the_log_of_a_task_keeps(run):
    """Item 106: a script that writes nothing but line ends does not fill the log with as many entries as bytes."""
    outcome, records = run("lines.py", "print('\\n' * 1_000_000)")
    assert outcome["state"] == "successful"
    assert len(records) == 20_001
    assert (records[-1]["text"], records[-1]["level"]) == ("The output is cut after 20000 lines.", "Warning")
