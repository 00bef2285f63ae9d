"""The gateway in a container: one master process applies the configuration, and several processes serve."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest
import requests

from mft_common.directory import Account, RemoteDirectory, Wrong
from mft_common.errors import Unavailable
from mft_common.identity import Signer
from tests.servers.processes import free_port, wait_until
from tests.servers.programs import Program

KEY = "a key"


class Gateway:
    """A gateway under gunicorn with a configuration file of its own."""

    def __init__(self, folder):
        self.port, self.internal = free_port(), free_port()
        self.config = folder / "crossdock.yaml"
        env = {
            **os.environ,
            "GATEWAY_DATABASE_URL": f"sqlite:///{folder}/gateway.db",
            "GATEWAY_INTERNAL_PORT": str(self.internal),
            "MFT_CONFIG": str(self.config),
            "MFT_INTERNAL_KEYS": KEY,
            "MFT_LISTEN": f"127.0.0.1:{self.port}",
            "MFT_WEB_PROCESSES": "3",
            "SECRET1": "first",
            "SECRET2": "second",
        }
        gunicorn = Path(sys.executable).parent / "gunicorn"
        command = [gunicorn, "-c", "python:gateway.gunicorn_conf", "gateway.app:create_app()"]
        self.log = folder / "gateway.log"
        self.program = Program(command, self.log, env=env)
        self.directory = RemoteDirectory(f"http://127.0.0.1:{self.internal}", Signer([KEY]))

    def configure(self, *names, secret="SECRET1"):
        """Write a configuration with these accounts."""
        account = {"password": {"env": secret}, "grants": {"http_mft": {}}}
        self.config.write_text(json.dumps({"accounts": dict.fromkeys(names, account)}))

    def ready(self):
        """True once it answers that it is ready."""
        assert self.program.running(), self.program.tail()
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def lines(self, event):
        """Return the log lines of an event."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == event]

    def verify(self, name, password):
        """Check a password by the internal API; None while no process answers."""
        try:
            return self.directory.verify("filestore-svc", name, password, "192.0.2.1")
        except Unavailable:
            return None


@pytest.fixture
def gateway(tmp_path):
    """Return a gateway that is not started yet."""
    made = Gateway(tmp_path)
    yield made
    made.program.kill()


def test_the_configuration_is_applied_once_before_anything_serves(gateway):
    """Three web processes hash nothing: the first answer comes after the one process that does."""
    gateway.configure("part1", "part2")
    gateway.program.start()
    wait_until(gateway.ready, within=30, what="a ready gateway")
    assert isinstance(gateway.verify("part1", "first"), Account)
    assert [line["made"] for line in gateway.lines("accounts.applied")] == [2]


def test_a_hangup_applies_the_configuration_again(gateway):
    """SIGHUP takes the file as it is by then; one with problems changes nothing, and the hub goes on."""
    gateway.configure("part1")
    gateway.program.start()
    wait_until(gateway.ready, within=30, what="a ready gateway")
    gateway.configure("part1", secret="SECRET2")
    gateway.program.send(signal.SIGHUP)
    wait_until(lambda: isinstance(gateway.verify("part1", "second"), Account), within=30, what="the new password")
    gateway.configure("part1", secret="SECRET3")
    gateway.program.send(signal.SIGHUP)
    wait_until(lambda: gateway.lines("configuration.rejected"), within=30, what="the refusal")
    wait_until(lambda: isinstance(gateway.verify("part1", "second"), Account), within=30, what="the former password")
    assert gateway.verify("part1", "first") == Wrong()
