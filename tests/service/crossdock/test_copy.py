"""`crossdock copy`: what it copies, what it prints, and its exit codes."""

import contextlib
import hashlib
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from crossdock.command import main
from crossdock.copying.plan import _split
from crossdock.copying.report import EXIT_CODES, shown_size
from crossdock.copying.saved import Saved, folder_of
from crossdock.ends import url_of
from mft_common.process import file_locks
from tests.servers.nginx import Nginx
from tests.servers.processes import free_port, wait_until
from tests.servers.stopwatch import Stopwatch

CONTENT = {"1.txt": b"one", "2.csv": b"two", "sub/3.txt": b"three"}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, with three files below `from`."""
    monkeypatch.chdir(tmp_path)
    for name, content in CONTENT.items():
        path = tmp_path / "from" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path


def run(*arguments, env=None):
    return CliRunner(env=env).invoke(main, ["copy", *arguments])


def report(*arguments):
    """Return the exit code and the JSON report of a copy."""
    result = run(*arguments, "--format", "json")
    return result.exit_code, json.loads(result.stdout)


def found(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def checkpoints(folder):
    """Return the files of unfinished copies that have a checkpoint."""
    saved = (folder / "data/state/copy").glob("*.json")
    return [path for path in saved if json.loads(path.read_text())["checkpoints"]]


def command(*arguments):
    return [sys.executable, "-m", "crossdock", "copy", *arguments]


def test_the_files_of_a_folder_are_copied_and_their_checksums_printed(here):
    """Each line of stdout is a checksum, a size and a name; what is said about the whole goes to stderr."""
    result = run("from", "to")
    assert result.exit_code == 0, result.output
    assert found(here / "to") == {"1.txt": b"one", "2.csv": b"two"}
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines == [[hashlib.sha256(CONTENT[name]).hexdigest(), "3", name] for name in ("1.txt", "2.csv")]
    assert result.stderr.startswith("2 copied, 0 failed, 6 bytes in ")


def test_patterns_and_folders_below(here):
    """Patterns apply to the last step of a path, and the folders are made at the destination."""
    assert run("from", "to", "--recursive", "--include", "*.txt", "--include", "none").exit_code == 0
    assert found(here / "to") == {"1.txt": b"one", "sub/3.txt": b"three"}


@pytest.mark.parametrize(
    ("destination", "path"),
    [("new.txt", "new.txt"), ("folder", "folder/1.txt"), ("made/", "made/1.txt"), ("made/new.txt", "made/new.txt")],
)
def test_one_file_goes_to_the_name_that_is_given_or_into_a_folder(here, destination, path):
    """As `cp` does it; a folder that is missing is made."""
    (here / "folder").mkdir()
    assert run("from/1.txt", destination).exit_code == 0
    assert (here / path).read_bytes() == b"one"


def test_the_json_report_has_everything_and_nothing_else_is_printed(here):
    """Programs read one object from stdout."""
    result = run("from", "to", "--format", "json")
    assert result.stderr == ""
    made = json.loads(result.stdout)
    assert {name: made[name] for name in ("exit_code", "copied", "failed", "bytes")} == {
        "exit_code": 0, "copied": 2, "failed": 0, "bytes": 6,
    }  # fmt: skip
    sha256 = hashlib.sha256(b"one").hexdigest()
    assert made["files"][0] == {
        "source": "1.txt", "destination": "1.txt", "state": "copied", "size": 3, "sha256": sha256,
        "retries": 0, "resumed": 0,
    }  # fmt: skip


def test_one_failure_stops_no_other_file_and_is_exit_code_1(here):
    """A folder is in the way of one name."""
    (here / "to" / "1.txt").mkdir(parents=True)
    code, made = report("from", "to")
    assert (code, made["copied"], made["failed"]) == (1, 1, 1)
    assert made["files"][0]["error"] == "1.txt: is a folder"
    text = run("from", "to")
    assert text.exit_code == 1
    assert "failed: 1.txt: is a folder" in text.stderr


def test_no_replace_fails_for_a_name_that_is_there(here):
    """The file that is there stays as it is."""
    (here / "to").mkdir()
    (here / "to" / "1.txt").write_bytes(b"before")
    code, made = report("from", "to", "--no-replace")
    assert (code, made["failed"]) == (1, 1)
    assert found(here / "to") == {"1.txt": b"before", "2.csv": b"two"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("from", "endpoint:nowhere"),
        ("from", "to", "--bandwidth", "10"),
        ("from", "to", "--bandwidth", "0B/s"),
        ("from", "sftp://somebody@127.0.0.1/in"),
        ("from", "to", "--config", "missing.yaml"),
        ("from",),
    ],
)
def test_what_cannot_be_used_is_exit_code_2(here, arguments):
    """The command tries and makes nothing."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stderr
    assert not (here / "to").exists()


def test_what_cannot_be_used_is_one_object_in_json(here):
    """A program that reads the report also learns that its rate is none."""
    code, made = report("from", "to", "--bandwidth", "10")
    assert (code, made) == (2, {"exit_code": 2, "error": "--bandwidth: is no rate such as 10MiB/s"})


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("closed", [True, False])
def test_a_report_that_cannot_be_written_keeps_no_file_from_being_copied(here, form, closed):
    """The exit code 2 says that nothing was tried, which would have a script copy everything again."""
    read, write = os.pipe()
    os.close(read)
    with Path("/dev/full").open("wb") as full, os.fdopen(write, "wb") as pipe:
        done = subprocess.run(
            command("from", "to", "--recursive", "--format", form), stdout=pipe if closed else full,
            stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 74, done.stderr
    assert done.stderr.splitlines()[-1].startswith("crossdock: the report could not be written: ")
    assert found(here / "to") == CONTENT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_the_copy_itself_is_exit_code_130(here, number):
    """The exit code 1 says that files failed; here the configuration is still being read."""
    os.mkfifo(here / "slow.yaml")
    with (
        subprocess.Popen(command("from", "to", "--config", "slow.yaml", "--format", "json"), stdout=-1) as running,
        (here / "slow.yaml").open("wb"),
    ):
        running.send_signal(number)
        stdout, _ = running.communicate(timeout=20)
    assert running.returncode == 130
    assert json.loads(stdout)["exit_code"] == 130
    assert not (here / "to").exists()


@pytest.mark.parametrize("arguments", [("from", "to", "--include", "*.zip"), ("from/none.txt", "to"), ("none/", "to")])
def test_nothing_found_is_exit_code_3(here, arguments):
    """A script can tell an empty folder from a failure; the destination is not touched."""
    assert run(*arguments).exit_code == 3
    assert report(*arguments)[1]["files"] == []
    assert not (here / "to").exists()


@pytest.mark.parametrize("arguments", [("filestore:/in", "to"), ("from", "data/state/x")])
def test_an_end_that_cannot_be_reached_is_exit_code_4(here, arguments):
    """The hub's own state is closed to the command as well; in JSON the reason is one object too."""
    result = run(*arguments)
    assert result.exit_code == 4
    assert result.stderr.startswith("crossdock: ")
    code, made = report(*arguments)
    assert (code, made["exit_code"]) == (4, 4)
    assert made["error"]


def test_the_exit_codes_are_those_of_the_help():
    """The page tells them to the writer of a script."""
    text = " ".join(run("--help").stdout.split())
    assert all(f"{code} " in text.partition("Exit codes:")[2] for code in EXIT_CODES)


def test_the_exit_codes_are_those_of_the_page():
    """docs/command.md has one row for each."""
    page = (Path(__file__).parents[3] / "docs" / "command.md").read_text().partition("## Transactions and jobs")[0]
    assert [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()] == [
        line for line in page.splitlines() if line.startswith("| ") and line[2].isdigit()
    ]


def test_a_named_endpoint_is_found_in_the_configuration_and_only_its_secrets_are_read(here):
    """An endpoint that this copy does not use may lack its secret here."""
    other = "{url: 'ftp://u@127.0.0.1/', password: {env: NOT_HERE}}"
    (here / "crossdock.yaml").write_text(f"endpoints:\n  inbox: {{url: 'file:{here}/in'}}\n  other: {other}\n")
    text = (here / "crossdock.yaml").read_text() + f"allowed_folders: ['{here}']\n"
    (here / "crossdock.yaml").write_text(text)
    result = run("from", "endpoint:inbox/today")
    assert result.exit_code == 0, result.output
    assert found(here / "in" / "today") == {"1.txt": b"one", "2.csv": b"two"}
    result = run("from", "endpoint:other")
    assert result.exit_code == 2
    assert "endpoints.other.password: the environment has no variable NOT_HERE" in result.stderr


def test_an_argument_may_name_a_file_of_any_bytes(here):
    """The shell completes a name that is not UTF-8 as it is; a folder of such a name is refused with a reason."""
    source, target = os.fsdecode(b"from/\xff.txt"), os.fsdecode(b"to/\xfe.txt")
    Path(source).write_bytes(b"x")
    assert run(source, target).exit_code == 0
    assert [os.fsencode(path) for path in Path("to").iterdir()] == [b"to/\xfe.txt"]
    refused = run("from", os.fsdecode(b"to\xff/"))
    assert (refused.exit_code, refused.exception.__class__) == (2, SystemExit)
    assert refused.stderr == "crossdock: a file: URL's escapes are not UTF-8\n"


def test_names_of_any_bytes_are_copied_and_shown_without_control_characters(here):
    """A name can neither clear the screen nor break the JSON."""
    name = b"a\x1b[31m\xff.txt"
    Path(os.fsdecode(os.fsencode(here / "from") + b"/" + name)).write_bytes(b"x")
    code, made = report("from", "to", "--include", "a*")
    assert code == 0
    assert [os.fsencode(path.name) for path in (here / "to").iterdir()] == [name]
    assert made["files"][0]["source"] == "a\ufffd[31m\\xff.txt"
    assert "\x1b" not in run("from", "to").output


def test_an_interrupted_copy_leaves_nothing_and_says_so(here):
    """SIGINT stops between two blocks; what was complete stays, the rest is not visible under any name."""
    (here / "from" / "9.bin").write_bytes(bytes(4 << 20))
    arguments = command("from", "to", "--bandwidth", "256KiB/s", "--format", "json")
    with subprocess.Popen(arguments, cwd=here, stdout=subprocess.PIPE) as process:
        wait_until(lambda: set(CONTENT) - {"sub/3.txt"} <= set(found(here / "to")), what="a copy under way")
        wait_until(lambda: list((here / "to").glob(".9.bin.*")), what="an unfinished file")
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    made = json.loads(output)
    assert (process.returncode, made["exit_code"], made["copied"]) == (130, 130, 2)
    assert made["files"][-1]["error"] == "interrupted"
    assert found(here / "to") == {"1.txt": b"one", "2.csv": b"two"}


def test_a_resumed_copy_goes_on_where_the_first_one_stopped(here):
    """The same command with --resume reads the rest only, and nothing of the first run is left."""
    content = os.urandom(12 << 20)
    (here / "from" / "9.bin").write_bytes(content)
    arguments = ("from", "to", "--include", "9.bin", "--resume")
    with subprocess.Popen(command(*arguments, "--bandwidth", "4MiB/s"), cwd=here) as process:
        wait_until(lambda: checkpoints(here), what="a checkpoint")
        process.terminate()
        assert process.wait(20) == 130
    assert [name for name in found(here / "to") if not name.startswith(".")] == []
    code, made = report(*arguments)
    assert code == 0
    assert made["files"][0]["resumed"] > 0
    assert found(here / "to") == {"9.bin": content}
    assert sorted(path.name for path in (here / "data/state/copy").iterdir()) == ["lock"]


@pytest.mark.parametrize("option", [["--resume"], []])
def test_the_same_copy_does_not_run_twice_at_once(here, option):
    """Two processes would write the same unfinished file."""
    (here / "data/state/copy").mkdir(parents=True)
    with (here / "data/state/copy/lock").open("a") as lock:
        assert file_locks.acquire(lock.fileno())
        result = run("from", "to", *option)
    assert result.exit_code == 2
    assert "is running already" in result.stderr
    assert run("from", "to", *option).exit_code == 0


def killed(here, *arguments, until):
    """Run a copy at a limited rate in a process of its own, and kill it once `until` is true."""
    with subprocess.Popen(command(*arguments, "--bandwidth", "4MiB/s"), cwd=here) as process:
        wait_until(until, what="a copy that is under way")
        process.kill()
        assert process.wait(20) == -signal.SIGKILL


def test_a_copy_that_was_killed_is_resumed(here):
    """After kill -9 the same command goes on at the last checkpoint, and leaves nothing of the first run."""
    content = os.urandom(16 << 20)
    (here / "from" / "9.bin").write_bytes(content)
    arguments = ("from", "to", "--recursive", "--resume")
    killed(here, *arguments, until=lambda: checkpoints(here))
    assert not (here / "to" / "9.bin").exists()
    code, made = report(*arguments)
    assert (code, made["copied"]) == (0, 4)
    assert sum(one["resumed"] for one in made["files"]) > 0
    assert found(here / "to") == {**CONTENT, "9.bin": content}
    assert sorted(path.name for path in (here / "data/state/copy").iterdir()) == ["lock"]


@pytest.mark.parametrize("option", [["--resume"], []])
def test_what_a_killed_copy_has_left_is_removed_by_the_same_copy(here, option):
    """Also a file that the next run does not copy any more; what another copy has unfinished stays."""
    for name in ("8.bin", "9.bin"):
        (here / "from" / "sub" / name).write_bytes(bytes(8 << 20))
    arguments = ("from", "to", "--recursive")
    killed(here, *arguments, until=lambda: len(list((here / "to").glob("sub/.?.bin.*"))) == 2)
    others = here / "to" / "sub" / f".8.bin.{'0' * 48}.part"
    others.touch()
    (here / "from" / "sub" / "8.bin").unlink()
    code, made = report(*arguments, *option)
    assert (code, made["copied"]) == (0, 4)
    others.unlink()
    assert sorted(found(here / "to")) == [*CONTENT, "sub/9.bin"]
    assert sorted(path.name for path in (here / "data/state/copy").iterdir()) == ["lock"]


def test_several_files_are_copied_at_once(here):
    """Both ends allow it: two files are unfinished at the same time, and the results keep the order of the names."""
    for name in ("8.bin", "9.bin"):
        (here / "from" / name).write_bytes(bytes(3 << 20))
    arguments = command("from", "to", "--bandwidth", "2MiB/s", "--format", "json")
    with subprocess.Popen(arguments, cwd=here, stdout=subprocess.PIPE) as process:
        wait_until(lambda: len(list((here / "to").glob(".?.bin.*"))) == 2, what="two unfinished files")
        output, _ = process.communicate(timeout=20)
    assert [one["destination"] for one in json.loads(output)["files"]] == ["1.txt", "2.csv", "8.bin", "9.bin"]


@pytest.mark.parametrize("size", [0, 8 << 20])
def test_an_interrupted_copy_ends_although_the_far_side_does_not_answer(here, size):
    """A server that takes the connection and says no more holds up neither the copy nor the end of the process."""
    (here / "from" / "9.bin").write_bytes(bytes(size))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        ends = ("from/9.bin", f"{url}/9.bin") if size else (f"{url}/9.bin", "to/")
        with subprocess.Popen(command(*ends), cwd=here, stderr=subprocess.PIPE) as process:
            connection, _ = silent.accept()
            with connection:
                connection.recv(1)
                process.send_signal(signal.SIGINT)
                since = Stopwatch()
                assert process.wait(20) == 130
        assert since.seconds < 2


def test_an_interrupted_copy_gives_up_an_upload_that_is_not_taken(here):
    """A server that answers questions and takes no body: the report is printed, and the process ends within 2 s."""
    (here / "from" / "9.bin").write_bytes(bytes(16 << 20))
    uploading, held = threading.Event(), []

    def serve(server):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                if connection.recv(1 << 16).startswith(b"PUT"):
                    held.append(connection)
                    uploading.set()
                else:
                    connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/9.bin"
        arguments = command("from/9.bin", url, "--format", "json")
        with subprocess.Popen(arguments, cwd=here, stdout=subprocess.PIPE) as process:
            assert uploading.wait(20)
            process.send_signal(signal.SIGINT)
            since = Stopwatch()
            output, _ = process.communicate(timeout=20)
        assert since.seconds < 2
        server.shutdown(socket.SHUT_RDWR)
    made = json.loads(output)
    assert (process.returncode, made["exit_code"], made["copied"]) == (130, 130, 0)
    assert made["files"][0]["error"].startswith("interrupted")
    held[0].close()


def test_a_data_folder_that_cannot_be_written_is_no_obstacle(here):
    """Then nothing is kept for a later run, which only --resume needs."""
    (here / "data/state").mkdir(parents=True)
    (here / "data/state/copy").write_bytes(b"in the way")
    assert run("from", "to").exit_code == 0
    assert found(here / "to") == {"1.txt": b"one", "2.csv": b"two"}
    assert run("from", "to", "--resume").exit_code == 2


def _on_a_terminal(arguments, cwd, stdout):
    """Run a command whose stderr is a terminal, and return what it wrote there."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(arguments, cwd=cwd, stdout=stdout, stderr=theirs, env={**os.environ, "TERM": "xterm"}) as run:
        os.close(theirs)
        written = b""
        while True:
            try:
                block = os.read(ours, 1 << 16)
            except OSError:
                break
            if not block:
                break
            written += block
        os.close(ours)
        assert run.wait(20) == 0
    return written


def test_bars_are_shown_on_a_terminal_alone(here):
    """They are drawn on stderr, so that a pipe gets the checksums and nothing else."""
    (here / "from" / "9.bin").write_bytes(bytes(1 << 20))
    out = here / "out.txt"
    arguments = command("from", "to", "--bandwidth", "1MiB/s")
    with out.open("wb") as file:
        written = _on_a_terminal(arguments, here, file)
    assert b"9.bin" in written
    assert b"MB/s" in written or b"MiB/s" in written or b"kB/s" in written
    assert [line.split()[2] for line in out.read_text().splitlines()] == ["1.txt", "2.csv", "9.bin"]
    with out.open("wb") as file:
        assert b"9.bin" not in _on_a_terminal([*arguments[:-2], "--format", "json"], here, file)
    assert json.loads(out.read_text())["exit_code"] == 0


@pytest.mark.parametrize(
    ("url", "split"),
    [
        ("file:/a/b%20c", ("file:/a/", "b c")),
        ("file:/a/b/", None),
        ("file:a", ("file:", "a")),
        ("filestore:/in", ("filestore:/", "in")),
        ("sftp://u@h/~/in/x", ("sftp://u@h/~/in/", "x")),
        ("sftp://u@h/x", ("sftp://u@h/", "x")),
        ("sftp://u@h", None),
        ("s3://bucket/x", ("s3://bucket/", "x")),
        ("https://h/a/x%20y?v=1/2", ("https://h/a/?v=1/2", "x y")),
        ("https://h", None),
        ("endpoint:bank", None),
        ("endpoint:bank/in/x", ("endpoint:bank/in/", "x")),
    ],
)
def test_a_url_is_split_into_its_folder_and_its_last_step(url, split):
    """Host names and names of endpoints are no steps."""
    assert _split(url) == split


def test_an_argument_without_a_scheme_is_a_path_of_this_machine(here):
    """Blanks and percent signs in it are a name's own."""
    assert url_of("from/a b%20") == f"file:{here}/from/a%20b%2520"
    assert url_of("to/") == f"file:{here}/to/"
    assert url_of("/") == "file:/"
    assert url_of("..") == f"file:{here.parent}"
    assert url_of("endpoint:x/y") == "endpoint:x/y"
    assert url_of("./stfp://x") == f"file:{here}/stfp%3A/x"


@pytest.mark.parametrize("misspelt", ["stfp://u@h/x/", "SFTP://u@h/x/", "gopher://h/"])
def test_a_misspelt_scheme_is_no_path(here, misspelt):
    """Neither is a folder of that name made, nor a file of that name looked for."""
    for arguments in (("from", misspelt), (misspelt, "in/")):
        result = run(*arguments)
        assert (result.exit_code, "begins with none of" in result.stderr) == (2, True), result.output
    assert {path.name for path in here.iterdir()} == {"from"}


def test_the_name_of_an_endpoint_without_its_prefix_is_no_path(here):
    """`endpoint:` is easily forgotten; a file of such a name is reached by `./`."""
    (here / "crossdock.yaml").write_text("endpoints:\n  bank: {url: 'file:bank'}\n")
    result = run("from/1.txt", "bank:in/")
    assert (result.exit_code, "is endpoint:bank/in/ meant?" in result.stderr) == (2, True), result.output
    assert run("bank:in", "to/").exit_code == 2
    assert {path.name for path in here.iterdir()} == {"from", "crossdock.yaml"}
    assert run("from/1.txt", "./bank:in/").exit_code == 0
    assert run("from/1.txt", "other:in").exit_code == 0


def test_the_line_that_nothing_was_found_names_the_source(here, web):
    """It is the argument as it was given, without a query, which may hold a secret."""
    assert "nothing found: from/none.csv\n" in run("from/none.csv", "in/").stderr
    assert "nothing found: from\n" in run("from", "in/", "--include", "*.xml").stderr
    url = f"http://127.0.0.1:{web.port}/none"
    assert f"nothing found: {url}\n" in run(f"{url}?token=secret", "in/").stderr


def test_sizes_are_shown_in_units():
    """1,024 bytes are a KiB."""
    assert [shown_size(count) for count in (0, 1023, 1024, 5 << 30)] == ["0 bytes", "1023 bytes", "1.0 KiB", "5.0 GiB"]


@pytest.fixture
def web(tmp_path_factory):
    """A web server that gives files and takes them by PUT."""
    server = Nginx(tmp_path_factory.mktemp("nginx"))
    yield server
    server.program.kill()


def test_files_come_from_a_web_server_and_go_to_one(here, web):
    """A web server has no listing: one file is named, and a name that it does not have is nothing found."""
    (web.root / "a b.csv").write_bytes(b"from the web")
    base = f"http://127.0.0.1:{web.port}"
    assert run(f"{base}/a%20b.csv", "in/").exit_code == 0
    assert (here / "in" / "a b.csv").read_bytes() == b"from the web"
    assert run(f"{base}/none.csv", "in/").exit_code == 3
    assert "has no listing" in run(f"{base}/", "in/").stderr
    code, made = report("from", f"{base}/out/")
    assert (code, made["copied"]) == (0, 2)
    assert found(web.root / "out") == {"1.txt": b"one", "2.csv": b"two"}
    assert run("from/1.txt", f"{base}/out/new.txt").exit_code == 0
    assert (web.root / "out" / "new.txt").read_bytes() == b"one"


def test_a_server_that_does_not_answer_is_exit_code_4(here):
    """No program listens on the port."""
    result = run(f"http://127.0.0.1:{free_port()}/x", "in/")
    assert result.exit_code == 4, result.output


def test_what_cannot_be_saved_is_no_error_of_the_copy(tmp_path):
    """A full disk below the data folder costs what a later run could go on with."""
    saved = Saved("0" * 48, tmp_path / "gone" / "x.json")
    saved.begin(".a.part", "a")
    saved.store("a", {"position": 1})
    assert (saved.unfinished, saved.find("a")) == ((".a.part",), {"position": 1})
    saved.remove("a")
    saved.clear()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": {"position": 1}, "b": 1}'])
def test_what_was_saved_by_another_version_is_ignored(tmp_path, text):
    """The file is written anew with what this run has unfinished."""
    path = tmp_path / "x.json"
    path.write_text(text)
    saved = Saved("0" * 48, path)
    assert (saved.unfinished, saved.resumable) == ((), False)
    saved.begin(".a.part", "a")
    assert Saved("0" * 48, path).unfinished == (".a.part",)


def test_the_same_copy_of_another_data_folder_has_other_unfinished_files(tmp_path):
    """Two machines that run the same command must not write to one temporary name, nor sweep each other's."""
    tokens = []
    for data in ("one", "one", "two"):
        with Saved.opened(folder_of(tmp_path / data), "file:/a\nsftp://far/a") as saved:
            tokens.append(saved.token)
    assert tokens[0] == tokens[1] != tokens[2]
    assert [path.name for path in folder_of(tmp_path / "one").iterdir()] == ["lock"]
