"""`crossdock endpoint check` and `crossdock copy` with a real SSH server: pin, check, copy both ways, resume."""

import json
import os
import subprocess
import sys

import pytest
import yaml
from click.testing import CliRunner

from crossdock.command import main
from tests.servers.processes import wait_until


@pytest.fixture(scope="module")
def server(sshd):
    """OpenSSH's server."""
    return sshd


@pytest.fixture
def here(tmp_path, monkeypatch, server):
    """The current folder, with a configuration whose endpoint `bank` pins no key yet."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bank").mkdir()
    (tmp_path / "bank.key").write_text(server.key)
    configure(tmp_path, server)
    return tmp_path


def configure(here, server, **more):
    url = f"sftp://{server.user}@127.0.0.1:{server.port}{here}/bank"
    entry = {"url": url, "key": {"file": "bank.key"}, **more}
    (here / "crossdock.yaml").write_text(yaml.safe_dump({"endpoints": {"bank": entry}}))


def run(*arguments):
    return CliRunner().invoke(main, arguments)


def test_a_server_is_pinned_checked_and_copied_to_and_from(here, server):
    """The check prints what to write; that line makes the endpoint usable, and the copy verifies each file."""
    result = run("endpoint", "check", "bank")
    assert result.exit_code == 1
    wanted = server.fingerprint("ed25519")
    assert f'      host_key: "{wanted}"  # ssh-ed25519' in result.stdout
    for kind in ("ecdsa", "rsa"):
        assert server.fingerprint(kind) in result.stdout

    configure(here, server, host_key=wanted)
    result = run("endpoint", "check", "bank")
    assert result.exit_code == 0, result.output
    assert f"  host key {wanted} (ssh-ed25519)  <- pinned" in result.stdout
    assert "  connected" in result.stdout

    content = os.urandom(3 << 20)
    (here / "out.bin").write_bytes(content)
    assert run("copy", "out.bin", "endpoint:bank/new/").exit_code == 0
    assert (here / "bank" / "new" / "out.bin").read_bytes() == content
    result = run("copy", "endpoint:bank/new/out.bin", "back.bin", "--format", "json")
    assert result.exit_code == 0, result.output
    assert (here / "back.bin").read_bytes() == content
    assert run("copy", "endpoint:bank/none", "x/").exit_code == 3


def test_another_host_key_stops_everything_before_the_login(here, server):
    """The check shows the keys that the server has, and warns before one of them is pinned instead."""
    configure(here, server, host_key=f"SHA256:{'A' * 43}")
    (here / "out.bin").write_bytes(b"x")
    copied = run("copy", "out.bin", "endpoint:bank/")
    assert copied.exit_code == 4
    checked = run("endpoint", "check", "bank")
    assert checked.exit_code == 1
    assert "The pinned host_key is none of the server's." in checked.stdout
    assert list((here / "bank").iterdir()) == []
    made = json.loads(run("endpoint", "check", "bank", "--format", "json").stdout)
    assert [key["pinned"] for key in made["host_keys"]] == [False, False, False]


def checkpoints(folder):
    """Return the files of unfinished copies that have a checkpoint."""
    saved = (folder / "data/state/copy").glob("*.json")
    return [path for path in saved if json.loads(path.read_text())["checkpoints"]]


def test_a_broken_upload_goes_on_in_another_process(here, server):
    """The second run sends the rest, and no unfinished file is left at the far side."""
    configure(here, server, host_key=server.fingerprint("ed25519"))
    content = os.urandom(12 << 20)
    (here / "out.bin").write_bytes(content)
    arguments = ["copy", "out.bin", "endpoint:bank/", "--resume"]
    first = [sys.executable, "-m", "crossdock", *arguments, "--bandwidth", "4MiB/s"]
    with subprocess.Popen(first, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: checkpoints(here), what="a checkpoint")
        process.kill()
        process.wait(20)
    result = run(*arguments, "--format", "json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["files"][0]["resumed"] > 0
    assert [path.name for path in (here / "bank").iterdir()] == ["out.bin"]
    assert (here / "bank" / "out.bin").read_bytes() == content


def test_the_private_key_is_in_no_output(here, server):
    """Neither where the copy succeeds nor where the key is refused."""
    configure(here, server, host_key=server.fingerprint("ed25519"))
    (here / "out.bin").write_bytes(b"x")
    good = [run("copy", "out.bin", "endpoint:bank/"), run("endpoint", "check", "bank")]
    assert [result.exit_code for result in good] == [0, 0]
    (here / "bank.key").write_text(server.key[:-60] + server.key[-40:])
    failed = [run("copy", "out.bin", "endpoint:bank/"), run("endpoint", "check", "bank")]
    assert [result.exit_code for result in failed] == [4, 1]
    shown = "".join(result.output for result in (*good, *failed, run("endpoint", "list")))
    assert [line for line in server.key.splitlines()[1:-1] if line in shown] == []
