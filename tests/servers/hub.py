"""Start the hub in each of its shapes: one process group, one program a service, or containers."""

import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import requests

from tests.servers.processes import free_port, wait_until
from tests.servers.programs import Program

BIN = Path(sys.executable).parent
UPSTREAMS = {
    "GATEWAY_UPSTREAM_FILESTORE": "filestore_svc",
    "GATEWAY_UPSTREAM_DIPLOMAT": "diplomat_svc",
    "GATEWAY_UPSTREAM_MQMFT": "mqmft_svc",
    "GATEWAY_UPSTREAM_SERTAINTY": "sertainty_svc",
}
DEMO = Path(__file__).parents[2] / "crossdock/src/crossdock/demo.yaml"


def clean_environment(**more):
    """Return this machine's environment without the settings of a hub, plus `more`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MFT_", "GATEWAY_", "FILESTORE_", "DIPLOMAT_", "MQMFT_", "SERTAINTY_", "PROMETHEUS_"))
    }
    return {**kept, **{name: str(value) for name, value in more.items()}}


def crossdock(*arguments, cwd, **env):
    """Run the command `crossdock` to its end."""
    return subprocess.run(
        [str(BIN / "crossdock"), *map(str, arguments)],
        cwd=cwd,
        env=clean_environment(**env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class OneMachine:
    """`crossdock up --demo` on a free port."""

    seen_as = "127.0.0.1"
    # Recovery ends before the hub is ready; events are delivered a moment later.
    recovers_within = 5.0

    def __init__(self, folder, *options, env=None, demo=True):
        self.data = folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [BIN / "crossdock", "up", "--port", self.port, "--data", self.data, *options]
        if demo:
            command.insert(2, "--demo")
        self.program = Program(command, folder / "hub.log", env=clean_environment(**(env or {})))

    def start(self):
        """Start it and wait until it is ready."""
        self.program.start()
        return self.wait()

    def wait(self):
        """Wait until `/readyz` answers 200."""
        wait_until(self._ready, within=60, what="a ready hub")
        return self

    def _ready(self):
        assert self.program.running(), self.program.tail()
        return answers(f"{self.url}/readyz")

    def read(self, path):
        """Return the content of a file below the data folder."""
        return (self.data / path).read_bytes()

    def rows(self, service, statement):
        """Read a service's database while the hub runs."""
        folder = "gateway" if service == "gateway" else f"{service}-svc"
        path = self.data / "state" / folder / f"{service}.db"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(statement).fetchall()

    def stop(self):
        """Stop it as Ctrl-C or a service manager would; return the exit code."""
        return self.program.stop()

    def kill(self):
        """Kill -9 every process of it at once."""
        self.program.kill()

    def log(self):
        """Return the log: all of its output but the banner."""
        lines = self.program.log.read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines if line.startswith("{"))


class ManyProcesses:
    """Gateway, services and workers as programs of their own, on PostgreSQL and RabbitMQ, as containers run them."""

    seen_as = "127.0.0.1"
    # Other workers may be alive: the work of dead ones is taken over when their leases have expired.
    recovers_within = 150.0

    def __init__(self, folder, *, database_url, amqp_url):
        self.folder = folder
        self.database_url = database_url
        self.data = folder / "data"
        self.port, internal = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        ports = {package: free_port() for package in UPSTREAMS.values()}
        common = {
            "MFT_DATA": self.data,
            "MFT_DEMO": 1,
            "MFT_CONFIG": DEMO,
            "MFT_INTERNAL_KEYS": "a key for this test run alone",
            "MFT_AMQP_URL": amqp_url,
            "MFT_GATEWAY_URL": f"http://127.0.0.1:{internal}",
            "MFT_FILESTORE_URL": f"http://127.0.0.1:{ports['filestore_svc']}",
            **{
                f"{name}_DATABASE_URL": database_url
                for name in ("GATEWAY", "FILESTORE", "DIPLOMAT", "MQMFT", "SERTAINTY")
            },
        }
        self.programs: dict[str, Program] = {}
        self.worker_ports: dict[str, int] = {}
        self._add(
            "gateway",
            "gateway.gunicorn_conf",
            common
            | {
                "MFT_LISTEN": f"127.0.0.1:{self.port}",
                "GATEWAY_INTERNAL_PORT": internal,
            }
            | {name: f"http://127.0.0.1:{ports[package]}" for name, package in UPSTREAMS.items()},
        )
        for package, port in ports.items():
            self._add(package, "mft_common.process.gunicorn_conf", common | {"MFT_LISTEN": f"127.0.0.1:{port}"})
        self.web_ports = {"gateway": self.port, **ports}

    def _add(self, package, conf, env):
        figures = self.folder / f"{package}.figures"
        figures.mkdir(parents=True, exist_ok=True)
        web = clean_environment(**env, MFT_WEB_PROCESSES=1, PROMETHEUS_MULTIPROC_DIR=figures)
        self.programs[f"{package}-web"] = Program(
            [BIN / "gunicorn", "-c", f"python:{conf}", f"{package}.app:create_app()"],
            self.folder / f"{package}-web.log",
            env=web,
        )
        pages = free_port()
        self.worker_ports[package] = pages
        self.programs[f"{package}-worker"] = Program(
            [sys.executable, "-m", f"{package}.worker"],
            self.folder / f"{package}-worker.log",
            env=clean_environment(**env, MFT_WORKER_LISTEN=f"127.0.0.1:{pages}"),
        )

    def start(self):
        """Lay out the demo's files, start everything, and wait until each service is ready."""
        Program(
            [BIN / "crossdock", "init", "--data", self.data, "--secrets", self.folder / "secrets"],
            self.folder / "init.log",
            env=clean_environment(MFT_DEMO=1),
        ).start().wait()
        for program in self.programs.values():
            program.start()
        return self.wait()

    def wait(self):
        """Wait until every web process and every worker is ready."""
        for package, port in (*self.web_ports.items(), *self.worker_ports.items()):
            wait_until(lambda at=package, p=port: self._ready(at, p), within=60, what=f"a ready {package}")
        return self

    def _ready(self, package, port):
        for name, program in self.programs.items():
            assert program.running(), f"{name}:\n{program.tail()}"
        return answers(f"http://127.0.0.1:{port}/readyz")

    def read(self, path):
        """Return the content of a file below the data folder."""
        return (self.data / path).read_bytes()

    def rows(self, service, statement):
        """Read a service's database while the hub runs."""
        schema = "gateway" if service == "gateway" else f"{service}_svc"
        with psycopg.connect(self.database_url, options=f"-c search_path={schema}") as connection:
            return connection.execute(statement).fetchall()

    def stop(self):
        """Stop all programs; return 0 when each of them ended cleanly."""
        for program in self.programs.values():
            program.terminate()
        return max(abs(program.stop(asked=True)) for program in self.programs.values())

    def kill(self):
        """Kill -9 every process of it."""
        for program in self.programs.values():
            program.kill()

    def log(self):
        """Return the output of all programs."""
        return "\n".join(program.log.read_text(errors="replace") for program in self.programs.values())


class Compose:
    """The containers that `deploy/compose-check` has brought up; started and stopped by that script."""

    def __init__(self):
        self.compose = os.environ.get("MFT_TEST_COMPOSE", "docker compose").split()
        host, _, port = os.environ["CROSSDOCK_PUBLISH"].rpartition(":")
        self.port = int(port)
        self.url = f"http://{host}:{port}"

    @property
    def seen_as(self):
        """Return the address that the containers see for clients of this machine: the gateway of their network."""
        ids = self._run("ps", "-q", "gateway").decode().split()
        gateway = "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}"
        found = subprocess.run(["docker", "inspect", "-f", gateway, ids[0]], capture_output=True, text=True, check=True)
        return found.stdout.strip()

    def start(self):
        """Wait until the gateway is ready and every container healthy."""
        wait_until(lambda: answers(f"{self.url}/readyz"), within=120, every=0.5, what="a ready gateway")
        wait_until(self._healthy, within=120, every=1.0, what="healthy containers")
        return self

    def _healthy(self):
        ids = self._run("ps", "-q").decode().split()
        health = "{{if .State.Health}}{{.State.Health.Status}}{{else}}done{{end}}"
        states = subprocess.run(["docker", "inspect", "-f", health, *ids], capture_output=True, text=True, check=True)
        return set(states.stdout.split()) <= {"healthy", "done"}

    def read(self, path):
        """Return the content of a file below the data folder."""
        return self._run("exec", "-T", "diplomat-worker", "cat", f"/data/{path}")

    def log(self):
        """Return the output of the containers."""
        return self._run("logs", "--no-color").decode(errors="replace")

    def kill(self):
        """Do nothing: `deploy/compose-check` stops the containers."""

    def _run(self, *arguments):
        return subprocess.run([*self.compose, *arguments], capture_output=True, check=True).stdout


def answers(url):
    """True when a GET of `url` is answered 200."""
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False
