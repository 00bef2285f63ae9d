"""The commands of docs/data-protector.md, pasted into a shell beside the demo hub."""

import os
import re
import subprocess
from pathlib import Path

from tests.e2e.clients import DataProtector
from tests.servers.hub import BIN, clean_environment
from tests.servers.processes import wait_until

PAGE = Path(__file__).parents[2] / "docs/data-protector.md"


class Shell:
    """A shell of a user: each block of commands sees the functions and variables of those before it."""

    def __init__(self, hub, folder):
        self._hub = hub
        self._folder = folder
        self._before = ""

    def run(self, block, *, kept=False):
        """Paste a block and return its output; `kept` lets later blocks see what it defined."""
        block = block.replace("http://127.0.0.1:8080", self._hub.url)
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-euc", f"{{ :{self._before}\n}} >/dev/null\n{block}"],
            cwd=self._folder, env=clean_environment(PATH=path), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        if kept:
            self._before += f"\n{block}"
        return done.stdout


def test_the_page_of_a_first_session_works_when_pasted(start, tmp_path):
    """A session, questions, tasks of four kinds, their logs, the record of transfers, and the agent's end and start."""
    hub = start()
    wait_until(lambda: DataProtector(hub.url).call("agentPing")[0] == 1, within=20, what="the agent")
    define, trusted, prompts, tasks, file, calls, commands, agent = re.findall(
        r"^```sh\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL
    )
    shell = Shell(hub, tmp_path)
    shell.run(define, kept=True)
    assert shell.run(trusted, kept=True).splitlines()[:2] == ["1 Success", "Active"]
    asked = shell.run(prompts).splitlines()
    assert asked[:4] == ["2 Challenged", "Port of registry?", "Berth number?", "1 Success"]
    assert shell.run(tasks).splitlines() == ["1 Success"] * 6
    shell.run(file)
    folder = tmp_path / "data/demo/protect"

    def counted():
        return "for 4711" in shell.run("dp taskGetLog night count")

    wait_until(counted, within=30, what="the script has seen the restored file")
    assert (folder / "back/crate.txt").read_text() == (folder / "done/crate.txt").read_text() == "a crate\n"
    assert (folder / "out/crate.txt.sealed").read_bytes().startswith(b"\x89XSEAL\r\n")
    ran = shell.run(calls)
    assert ran.count("1 Success\n") == 6
    assert "The task tick was resumed." in ran
    recorded = "crossdock transfer list --protocol data-protector"
    wait_until(lambda: shell.run(recorded).count("successful  ") == 2, within=20, what="the record of both transfers")
    shown = shell.run(commands)
    assert "crate.txt.sealed unprotected" in shown
    assert shown.count("successful  DATAPROTECTOR") == 2
    assert '"crossdock.task":"night/protect"' in shown
    assert shell.run(agent) == "1 Success\n1 Success\n"
