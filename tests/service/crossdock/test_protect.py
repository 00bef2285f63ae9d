"""`crossdock protect`, `unprotect` and `id new|show`: files beside, IDs of hubs and of files, and exit codes."""

import contextlib
import hashlib
import json
import os
import pty
import signal
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from crossdock.command import main
from mft_common.database import Database
from sertainty_svc.bootstrap import build
from sertainty_svc.settings import Settings
from sertainty_svc.store import logs
from sertainty_svc.store.tables import agent, configuration, metadata
from tests.servers.processes import wait_until

CONTENT = b"consignment 4711\n" * 10_000
MODIFIED_NS = 1_700_000_000_123_456_789


class _NoDirectory:
    """Stands for the gateway's accounts, which no command asks."""


def start_hub(data, section=()):
    """Make the state of a hub on a data folder, as its first start does, with a configuration `night`."""
    url = f"sqlite:///{data}/state/sertainty-svc/sertainty.db"
    (data / "state" / "sertainty-svc").mkdir(parents=True)
    config = {"data_protector": dict(section)}
    made = build(Settings(data=str(data), database_url=url), config=config, directory=_NoDirectory())
    with made.database.write() as connection:
        connection.execute(configuration.insert().values(name="night", tasks=b"", saved_at=0))
        connection.execute(agent.update().values(log="agent.log"))
    made.close()


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, with the data of a hub and a file."""
    monkeypatch.chdir(tmp_path)
    start_hub(tmp_path / "data")
    (tmp_path / "report.csv").write_bytes(CONTENT)
    os.utime(tmp_path / "report.csv", ns=(MODIFIED_NS, MODIFIED_NS))
    return tmp_path


def run(*arguments):
    """Run a command, and return its result."""
    return CliRunner().invoke(main, arguments)


def done(*arguments):
    """Run a command that succeeds, and return its standard output."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def names(folder):
    """Return the names in a folder, but for that of the hub's data."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("data"))


def refused(*arguments):
    """Run a command that is refused, and return its line."""
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    return result.stderr


def test_a_file_is_protected_and_restored_beside_itself(here):
    """The content, the name and the time come back; nothing but the two outputs is made, and the source stays."""
    done("id", "new", "edge-7.iic")
    line = done("protect", "report.csv", "--id", "edge-7.iic")
    sealed = (here / "report.csv.sealed").read_bytes()
    digest = hashlib.sha256(sealed).hexdigest()
    assert line.split() == [digest, str(len(sealed)), "report.csv.sealed"]
    assert CONTENT[:100] not in sealed
    (here / "report.csv").unlink()
    line = done("unprotect", "report.csv.sealed")
    assert line.split() == [hashlib.sha256(CONTENT).hexdigest(), str(len(CONTENT)), "report.csv"]
    assert (here / "report.csv").read_bytes() == CONTENT
    assert (here / "report.csv").stat().st_mtime_ns // 1_000_000 == MODIFIED_NS // 1_000_000
    assert (here / "report.csv.sealed").stat().st_mtime_ns != MODIFIED_NS
    assert names(here) == ["report.csv", "report.csv.sealed"]
    assert not list((here / "data/state/copy").glob("*.json"))


def test_several_files_and_one_json_object(here):
    """Paths are shown as they were given; one that fails or is not there does not stop the others."""
    (here / "sub").mkdir()
    (here / "sub" / "b").write_bytes(b"b")
    (here / ".hidden").write_bytes(b"h")
    done("id", "new", "edge-7.iic")
    result = run("protect", "report.csv", "gone", ".hidden", "sub/b", "--id", "edge-7.iic", "--format", "json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["exit_code"], found["protected"], found["failed"]) == (1, 1, 2, 1)
    assert [(one["source"], one["destination"], one["state"]) for one in found["files"]] == [
        ("report.csv", "report.csv.sealed", "protected"),
        (".hidden", "", "failed"),
        ("sub/b", "sub/b.sealed", "protected"),
    ]
    assert found["skipped"] == [{"source": "gone", "reason": "there is no such file"}]
    assert found["files"][0]["source_sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert json.loads(done("unprotect", "sub/b.sealed", "--replace", "--format", "json"))["restored"] == 1


def test_an_output_that_is_there_is_kept(here):
    """Without --replace it is a failure, and with a folder of that name in any case."""
    done("id", "new", "edge-7.iic")
    (here / "report.csv.sealed").write_bytes(b"former")
    result = run("protect", "report.csv", "--id", "edge-7.iic")
    assert result.exit_code == 1
    assert "failed: report.csv: " in result.stderr
    assert (here / "report.csv.sealed").read_bytes() == b"former"
    done("protect", "report.csv", "--id", "edge-7.iic", "--replace")
    (here / "report.csv").unlink()
    (here / "report.csv").mkdir()
    assert run("unprotect", "report.csv.sealed", "--replace").exit_code == 1
    assert names(here / "report.csv") == []


def test_exit_codes_of_files_that_are_not_there_and_of_folders(here):
    """3 where no file is there; a folder and a link fail, and nothing follows a link."""
    done("id", "new", "edge-7.iic")
    (here / "link").symlink_to("report.csv")
    assert run("protect", "gone", "--id", "edge-7.iic").exit_code == 3
    assert run("unprotect", "gone.sealed", "gone/sealed").exit_code == 3
    for command in (("protect", "--id", "edge-7.iic"), ("unprotect",)):
        for name in ("link", "data"):
            assert run(*command, name).exit_code == 1
    assert names(here) == ["link", "report.csv"]


@pytest.mark.parametrize("place", [0, 60, 200, 70_000, -1])
def test_a_file_that_was_changed_is_refused_and_leaves_nothing(here, place):
    """One flipped bit anywhere, or a cut: exit code 1, no output, and an older one stays what it was."""
    done("id", "new", "edge-7.iic")
    done("protect", "report.csv", "--id", "edge-7.iic")
    (here / "report.csv").write_bytes(b"older")
    sealed = bytearray((here / "report.csv.sealed").read_bytes())
    for changed in (sealed[:place], sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 or len(sealed) :]):
        (here / "report.csv.sealed").write_bytes(changed)
        result = run("unprotect", "report.csv.sealed", "--replace")
        assert result.exit_code == 1, result.output
        assert (here / "report.csv").read_bytes() == b"older"
    assert names(here) == ["report.csv", "report.csv.sealed"]


def test_two_hubs_exchange_fingerprint_id_and_file_and_a_third_cannot_read_it(here):
    """An ID in a file is for the machine of a fingerprint alone; the hub that made it can protect with it, not read."""
    for name in ("second", "third"):
        start_hub(here / f"data-{name}")
    own = ET.fromstring(done("id", "show", made(here, "own", "data-second"), "--format", "xml"))
    (here / "second.xml").write_bytes(ET.tostring(own.find(".//Configuration")))
    done("id", "new", "partner.iic", "--machine", "second.xml", "--output", "partner.iic")
    assert (here / "partner.iic").stat().st_mode & 0o777 == 0o600
    done("protect", "report.csv", "--id", "partner.iic")
    (here / "report.csv").unlink()
    for data in ("data", "data-third"):
        result = run("unprotect", "report.csv.sealed", "--id", "partner.iic", "--data", data)
        assert (result.exit_code, "not made for this machine" in result.stderr) == (2, True)
        result = run("unprotect", "report.csv.sealed", "--data", data)
        assert (result.exit_code, "this hub does not have" in result.stderr) == (1, True)
    assert "report.csv" not in names(here)
    done("unprotect", "report.csv.sealed", "--id", "./partner.iic", "--data", "data-second")
    assert (here / "report.csv").read_bytes() == CONTENT


def made(folder, name, data):
    """Make an ID of a hub for its own machine, in a file; return its path."""
    path = folder / f"{name}.iic"
    done("id", "new", name, "--output", str(path), "--data", data)
    return str(path)


def test_an_id_is_shown_with_what_it_is_good_for(here):
    """Rules and machines, for people and for programs; exit code 1 where nothing can be protected to it."""
    done("id", "new", "night:bound", "--preset", "Hardware bound")
    found = json.loads(done("id", "show", "night:bound", "--format", "json"))
    assert (found["name"], found["preset"], found["hardware_deny"]) == ("bound", "Hardware bound", True)
    assert (found["protect_problem"], found["unprotect_problem"], len(found["machines"])) == (None, None, 1)
    lines = dict(line.split(maxsplit=1) for line in done("id", "show", "night:bound").splitlines())
    assert (lines["name"], lines["hardware"], lines["protects"]) == ("bound", "bound", "yes")
    document = ET.fromstring(done("id", "show", "night:bound", "--format", "xml"))
    keyless = document.find("Wraps")
    keyless.remove(keyless[0])
    (here / "keyless").write_bytes(ET.tostring(document))
    result = run("id", "show", "keyless", "--format", "json")
    assert (result.exit_code, "no machine" in json.loads(result.stdout)["protect_problem"]) == (1, True)
    assert "the ID cannot be used" in refused("protect", "report.csv", "--id", "keyless")


def test_an_id_that_was_changed_is_refused_where_the_hub_can_tell(here):
    """The files could not be restored; without its wrap the hub knows it too, and another hub does not."""
    start_hub(here / "data-second")
    document = ET.fromstring(done("id", "show", made(here, "own", "data"), "--format", "xml"))
    document.find("Definition/Preset").text = "Other"
    (here / "changed").write_bytes(ET.tostring(document))
    wraps = document.find("Wraps")
    wraps[0].set("machine", "other")
    document.find("Definition/Machines").append(
        ET.fromstring('<Configuration><Device id="other"><PublicKey algorithm="X25519">'
                      f'{"A" * 43}=</PublicKey></Device></Configuration>')
    )  # fmt: skip
    (here / "unwrapped").write_bytes(ET.tostring(document))
    for name in ("changed", "unwrapped"):
        assert "changed after it was made" in refused("protect", "report.csv", "--id", name)
        assert run("id", "show", name).exit_code == 1
    done("protect", "report.csv", "--id", "changed", "--data", "data-second")
    (here / "report.csv.sealed").unlink()
    done("protect", "report.csv", "--id", "changed", "--data", "nowhere")


def test_a_new_id_is_in_the_log_of_the_agent(here):
    """The account is `system`, as with other commands."""
    done("id", "new", "edge-7.iic")
    url = f"sqlite:///{here}/data/state/sertainty-svc/sertainty.db"
    database = Database(url, schema="sertainty-svc", metadata=metadata, migrations="", head="")
    with database.read() as connection:
        last = logs.AGENT_LOG.last_id(connection, "agent.log")
        (page,) = logs.AGENT_LOG.pages(connection, "agent.log", last_id=last)
    database.close()
    assert json.loads(page[-1][2])["user"] == "system"
    assert "edge-7.iic" in json.loads(page[-1][2])["text"]


def test_what_cannot_be_done_is_refused_with_a_reason(here):
    """Exit code 2, one line, and nothing is made."""
    done("id", "new", "edge-7.iic")
    (here / "no.xml").write_text("<a/>")
    (here / "bytes.xml").write_bytes(b"\xff")
    (here / "there").touch()
    devices = "".join(f"<Device id='{number}'/>" for number in range(4000))
    (here / "many.xml").write_text(f"<Configuration>{devices}</Configuration>")
    for arguments, reason in (
        (("protect", "report.csv", "--id", "other"), "no shared ID of that name"),
        (("protect", "report.csv", "--id", "night:other"), "no ID of that name in the configuration night"),
        (("protect", "report.csv", "--id", "day:other"), "no ID of that name in the configuration day"),
        (("protect", "report.csv", "--id", "./other"), "No such file"),
        (("protect", "report.csv", "--id", "no.xml"), "it is no ID"),
        (("protect", "report.csv", "--id", "other", "--data", "nowhere"), "no hub that could have"),
        (("unprotect", "report.csv", "--data", "nowhere"), "nowhere: name the folder with --data"),
        (("id", "new", "edge-7.iic"), "the name of the ID is taken"),
        (("id", "new", "day:edge"), "no such configuration"),
        (("id", "new", "a/b"), "cannot be the name of an ID"),
        (("id", "new", "x", "--preset", "none"), "no such preset"),
        (("id", "new", "x", "--preset", "none", "--output", "x"), "no preset none"),
        (("id", "new", "x", "--machine", "no.xml"), "no Configuration"),
        (("id", "new", "x", "--machine", "no.xml", "--output", "x"), "no Configuration"),
        (("id", "new", "x", "--machine", "many.xml", "--output", "x"), "would have more than"),
        (("id", "new", "x", "--machine", "bytes.xml"), "no UTF-8"),
        (("id", "new", "x", "--output", "there"), "File exists"),
        (("id", "new", "x", "--data", "nowhere"), "no hub's data"),
        (("id", "show", "report.csv"), "the ID cannot be used"),
    ):
        assert reason in refused(*arguments), arguments
    result = run("protect", "report.csv", "--id", "other", "--format", "json")
    assert (result.exit_code, json.loads(result.stdout)["exit_code"]) == (2, 2)
    assert names(here) == ["bytes.xml", "many.xml", "no.xml", "report.csv", "there"]


def test_a_terminal_gets_bars_and_a_pipe_none(here):
    """On a terminal stderr shows the file's name with its bytes."""
    done("id", "new", "edge-7.iic")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "crossdock", "protect", "report.csv", "--id", "edge-7.iic"]
    try:
        ended = subprocess.run(command, stderr=theirs, stdout=subprocess.PIPE, check=False, timeout=30)
        os.set_blocking(ours, False)
        shown = b""
        with contextlib.suppress(BlockingIOError, OSError):
            while block := os.read(ours, 65_536):
                shown += block
    finally:
        os.close(theirs)
        os.close(ours)
    assert ended.returncode == 0
    assert b"\x1b[" in shown
    assert b"1 protected, 0 failed" in shown
    assert run("protect", "report.csv", "--id", "edge-7.iic", "--replace").stderr.startswith("1 protected, 0 failed")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_is_ended_leaves_no_output(here, number):
    """The final name stays free, and the next run removes what a kill has left."""
    done("id", "new", "edge-7.iic")
    with (here / "large").open("wb") as file:
        file.truncate(4 << 30)
    command = [sys.executable, "-m", "crossdock", "protect", "large", "--id", "edge-7.iic"]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: any(here.glob(".large.sealed*")))
        program.send_signal(number)
        assert program.wait(20) == (130 if number == signal.SIGTERM else -signal.SIGKILL)
    finally:
        program.kill()
        program.communicate()
    assert not (here / "large.sealed").exists()
    (here / "large").write_bytes(b"small")
    done("protect", "large", "--id", "edge-7.iic")
    assert names(here) == ["large", "large.sealed", "report.csv"]
