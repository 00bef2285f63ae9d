"""Find a RabbitMQ server, or start one of our own on free loopback ports and in a folder of its own."""

import atexit
import base64
import json
import os
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path
from typing import Self

from tests.servers.processes import end, free_port, program, wait_until

_PROGRAMS = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/opt/rabbitmq/sbin/rabbitmq-server", "rabbitmq-server")
_CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
management.tcp.ip = 127.0.0.1
management.tcp.port = {api_port}
loopback_users = none
disk_free_limit.absolute = 50MB
management_agent.disable_metrics_collector = true
"""


class RabbitMQ:
    """A server; each test makes a virtual host of its own with `new_vhost()`, and reaches it at `url(vhost)`."""

    def __init__(self, host: str, port: int, api_port: int, user: str = "guest", password: str = "guest") -> None:
        self.host = host
        self.port = port
        self._api = f"http://{host}:{api_port}/api"
        self._user = user
        self._password = password

    def url(self, vhost: str, port: int | None = None) -> str:
        """Return the `amqp:` URL of a vhost, through another `port` if given."""
        return f"amqp://{self._user}:{self._password}@{self.host}:{port or self.port}/{vhost}"

    def new_vhost(self) -> str:
        """Make an empty vhost and return its name."""
        name = f"t{uuid.uuid4().hex[:12]}"
        self.api("PUT", f"/vhosts/{name}")
        self.api("PUT", f"/permissions/{name}/{self._user}", b'{"configure":".*","write":".*","read":".*"}')
        return name

    def add_user(self, name: str, password: str, vhost: str) -> str:
        """Make a user of a vhost, and return its `amqp:` URL; `drop_user` removes it."""
        body = json.dumps({"password": password, "tags": ""}).encode()
        self.api("PUT", f"/users/{name}", body)
        self.api("PUT", f"/permissions/{vhost}/{name}", b'{"configure":"","write":".*","read":".*"}')
        secret = urllib.parse.quote(password, safe="")
        return f"amqp://{name}:{secret}@{self.host}:{self.port}/{vhost}"

    def drop_user(self, name: str) -> None:
        """Remove a user."""
        self.api("DELETE", f"/users/{name}")

    def held(self, vhost: str, queue: str) -> int:
        """Return how many messages of a queue were delivered and not acknowledged."""
        return self._totals(vhost, queue)["messages_unacknowledged"]

    def waiting(self, vhost: str, queue: str) -> int:
        """Return how many messages of a queue can be taken, as the server tells every few seconds."""
        return self._totals(vhost, queue)["messages_ready"]

    def _totals(self, vhost: str, queue: str) -> dict[str, int]:
        queues = json.loads(self.api("GET", f"/queues/{vhost}?enable_queue_totals=true&disable_stats=true"))
        return next(one for one in queues if one["name"] == queue)

    def drop_vhost(self, name: str) -> None:
        """Remove a vhost with its queues."""
        self.api("DELETE", f"/vhosts/{name}")

    def api(self, method: str, path: str, body: bytes = b"{}") -> bytes:
        """Call the management API and return the answer's body."""
        request = urllib.request.Request(self._api + path, data=None if method == "GET" else body, method=method)
        request.add_header("Content-Type", "application/json")
        token = base64.b64encode(f"{self._user}:{self._password}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bytes(answer.read())

    def close(self) -> None:
        """Do nothing: a server that was found goes on running."""


class OwnRabbitMQ(RabbitMQ):
    """A server of our own, which can be stopped and started again with its queues and messages."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1", free_port(), free_port())
        self._folder = Path(tempfile.mkdtemp(prefix="mft-rabbitmq-"))
        self._epmd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        atexit.register(self.close)
        self._program = program(_PROGRAMS, "rabbitmq-server")
        api_port = int(self._api.rsplit(":", 1)[1].split("/")[0])
        configuration = _CONFIGURATION.format(port=self.port, api_port=api_port)
        (self._folder / "rabbitmq.conf").write_text(configuration)
        (self._folder / "enabled_plugins").write_text("[rabbitmq_management].")
        self._epmd_port = free_port()
        self._dist_port = free_port()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the server, with the messages that it had, and wait until it answers."""
        folder = str(self._folder)
        # Its own port mapper in the foreground: the one that Erlang starts by itself would outlive the tests.
        self._epmd = self._spawn(["epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"], {})
        environment = {
            "HOME": folder,
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_NODENAME": f"mft{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_NODE_IP_ADDRESS": self.host,
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_LOGS": f"{folder}/log/server.log",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/rabbitmq-env.conf",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
        }
        self._server = self._spawn([self._program], environment)
        wait_until(self._answers, within=60, every=0.05, what=f"RabbitMQ answers; see {folder}")

    def stop(self) -> None:
        """Stop the server at once, as a power cut would."""
        for process in (self._server, self._epmd):
            if process is not None:
                end(process)
        self._server = self._epmd = None

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _spawn(self, command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        with (self._folder / "output").open("ab") as output:
            return subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        assert self._server is not None
        if self._server.poll() is not None:
            raise RuntimeError(f"RabbitMQ ended at start:\n{(self._folder / 'output').read_text()[-3000:]}")
        try:
            return b"rabbitmq_version" in self.api("GET", "/overview")
        except (OSError, urllib.error.URLError):
            return False


def find_or_start() -> RabbitMQ:
    """Return the server of MFT_TEST_AMQP_URL, whose management API listens at MFT_TEST_AMQP_API_PORT, or our own."""
    given = os.environ.get("MFT_TEST_AMQP_URL")
    if not given:
        server = OwnRabbitMQ()
        server.start()
        return server
    url = urllib.parse.urlsplit(given)
    api_port = int(os.environ.get("MFT_TEST_AMQP_API_PORT", "15672"))
    return RabbitMQ(
        url.hostname or "127.0.0.1", url.port or 5672, api_port, url.username or "guest", url.password or "guest"
    )
