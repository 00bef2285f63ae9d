"""Start mqmft-svc as many machines run it: gateways, web processes and workers side by side on real servers."""

import sys
import time
from dataclasses import replace
from pathlib import Path

import psycopg
import requests
import yaml

from mft_common.schedules.section import of_text, to_text
from tests.servers.hub import BIN, answers, clean_environment
from tests.servers.made_secrets import secret
from tests.servers.processes import free_port, wait_until
from tests.servers.programs import Program

PASSWORD = secret("password-of-replicas")
PUBLIC = "http://hub.example"
CSRF = {"ibm-mq-rest-csrf-token": ""}


class Replica:
    """A gateway with a web process of mqmft-svc behind it; `ask` sends a request through both."""

    def __init__(self, name: str, folder: Path, common: dict[str, object]) -> None:
        public, internal, service = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{public}"
        self.directory = f"http://127.0.0.1:{internal}"
        common = {**common, "MFT_GATEWAY_URL": self.directory, "MFT_WEB_PROCESSES": 1}
        front = {"MFT_LISTEN": f"127.0.0.1:{public}", "GATEWAY_INTERNAL_PORT": internal}
        front["GATEWAY_UPSTREAM_MQMFT"] = f"http://127.0.0.1:{service}"
        self.gateway = _web("gateway", "gateway.gunicorn_conf", folder, name, {**common, **front})
        listen = {"MFT_LISTEN": f"127.0.0.1:{service}"}
        self.service = _web("mqmft_svc", "mft_common.process.gunicorn_conf", folder, name, {**common, **listen})
        self._pages = (f"http://127.0.0.1:{service}/readyz", f"{self.url}/readyz")

    def ready(self) -> bool:
        """Return whether both answer that they are ready."""
        for program in (self.gateway, self.service):
            assert program.running(), program.tail()
        return all(map(answers, self._pages))

    def ask(self, path: str, method: str = "GET", *, version: str = "v3", **options) -> requests.Response:
        """Send a request below `admin/mft`, with the credentials of the administrator."""
        return self.send(f"admin/mft/{path}", method, version=version, auth=("mftadmin", PASSWORD), **options)

    def send(
        self, path: str, method: str = "GET", *, version: str = "v3", headers=CSRF, **options
    ) -> requests.Response:
        """Send a request without credentials of its own."""
        url = f"{self.url}/ibmmq/rest/{version}/{path}"
        return requests.request(method, url, headers=headers, timeout=20, **options)

    def submit(self, body, **headers) -> str:
        """Submit a transfer, and return its id."""
        answer = self.ask("transfer", "POST", json=body, headers={**CSRF, **headers})
        assert answer.status_code == 202, answer.text
        return answer.headers["Location"].rpartition("/")[2]

    def transfer(self, id_: str) -> dict:
        """Return all attributes of a transfer."""
        (found,) = self.ask(f"transfer/{id_}?attributes=*").json()["transfer"]
        return found

    def ended(self, id_: str, within: float = 60) -> dict:
        """Wait for the end of a transfer, and return all its attributes."""
        return wait_until(
            lambda: found if (found := self.transfer(id_))["statistics"]["endTime"] else None,
            within=within, every=0.1, what=f"the end of {id_}",
        )  # fmt: skip


class Replicas:
    """Two replicas of the service, and as many workers as are started, over one database and one broker."""

    def __init__(self, folder: Path, *, database_url: str, amqp_url: str, document: dict, **environ) -> None:
        self.data = folder / "data"
        self._folder = folder
        self._database_url = database_url
        (folder / "secret").write_text(PASSWORD)
        account = {"password": {"file": "secret"}, "grants": {"ibm_mq_mft": {"roles": ["MFTWebAdmin"]}}}
        file = folder / "own.yaml"
        file.write_text(yaml.safe_dump({"accounts": {"mftadmin": account}, **document}))
        self._common = {
            "MFT_DATA": self.data,
            "MFT_CONFIG": file,
            "MFT_INTERNAL_KEYS": "a key for this test run alone",
            "MFT_AMQP_URL": amqp_url,
            "MFT_PUBLIC_URL": PUBLIC,
            "GATEWAY_DATABASE_URL": database_url,
            "MQMFT_DATABASE_URL": database_url,
            **environ,
        }
        self.both = [Replica(name, folder, self._common) for name in ("one", "two")]
        self.workers: list[Program] = []

    def start(self) -> "Replicas":
        """Start both replicas and wait until they are ready."""
        for each in self.both:
            each.gateway.start()
            each.service.start()
        for each in self.both:
            wait_until(each.ready, within=60, what="a ready replica")
        return self

    def worker(self) -> Program:
        """Start a worker, and return it once it takes transfers."""
        pages = free_port()
        directory = self.both[len(self.workers) % 2].directory
        environ = {**self._common, "MFT_GATEWAY_URL": directory, "MFT_WORKER_LISTEN": f"127.0.0.1:{pages}"}
        log = self._folder / f"worker-{len(self.workers)}.log"
        made = Program([sys.executable, "-m", "mqmft_svc.worker"], log, env=clean_environment(**environ)).start()
        self.workers.append(made)
        # Each of its dispatchers says so: those of transfers, of their calls and of other calls.
        wait_until(lambda: made.log.read_text().count("worker.ready") >= 3, within=60, what="a worker that is ready")
        return made

    def kill_workers(self) -> None:
        """Kill every worker with its children."""
        for each in self.workers:
            each.kill()
        self.workers.clear()

    def rows(self, statement: str) -> list[tuple]:
        """Read the database of the service."""
        with psycopg.connect(self._database_url, options="-c search_path=mqmft_svc") as connection:
            return connection.execute(statement).fetchall()

    def let_next_time_come(self, id_: str) -> None:
        """Move all times of a schedule so that the next one comes in a second, when each worker looks for it."""
        key, at = f"schedule/{id_}", time.time_ns() // 1_000_000 + 1000
        with psycopg.connect(self._database_url, options="-c search_path=mqmft_svc") as connection:
            found = connection.execute("SELECT schedule, due_at FROM timer WHERE key = %s FOR UPDATE", (key,))
            ((text, due_at),) = found.fetchall()
            schedule = of_text(text)
            moved = to_text(replace(schedule, anchor=schedule.anchor - due_at + at))
            changes = "UPDATE timer SET schedule = %s, due_at = %s, wake_at = %s WHERE key = %s"
            connection.execute(changes, (moved, at, at, key))

    def ends(self, id_: str) -> int:
        """Return how many events tell that a transfer has ended."""
        ended = f"SELECT count(*) FROM outbox WHERE type = 'transfer.ended.v1' AND subject = '{id_}'"
        return self.rows(ended)[0][0]

    def kill(self) -> None:
        """Kill every process."""
        self.kill_workers()
        for each in self.both:
            each.gateway.kill()
            each.service.kill()


def _web(package: str, conf: str, folder: Path, name: str, environ) -> Program:
    figures = folder / f"{package}-{name}.figures"
    figures.mkdir(parents=True)
    return Program(
        [BIN / "gunicorn", "-c", f"python:{conf}", f"{package}.app:create_app()"],
        folder / f"{package}-{name}.log",
        env=clean_environment(**environ, PROMETHEUS_MULTIPROC_DIR=figures),
    )


def body(source: str, destination: str, *items: tuple[str, str], **transfer_set) -> dict:
    """Return the body of a transfer between two agents of QM1."""
    given = [{"source": {"name": name}, "destination": {"name": target}} for name, target in items]
    return {
        "sourceAgent": {"name": source, "qmgrName": "QM1"},
        "destinationAgent": {"name": destination, "qmgrName": "QM1"},
        "transferSet": {"item": given, **transfer_set},
    }
