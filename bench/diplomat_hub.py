"""A hub with transactions of a script's own, a client of its API, and the processor time of all its processes."""

import http.client
import os
import re
import sys
from pathlib import Path
from urllib.parse import urlencode

import yaml

from mft_common.process.descendants import with_descendants

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the tests' servers are not installed anywhere

from tests.servers.hub import OneMachine
from tests.servers.processes import wait_until

PATH = "/diplomat/APIRequest"
TICKS = os.sysconf("SC_CLK_TCK")
_STATUS = re.compile(rb"<transactionStatus>.*?</transactionStatus>", re.DOTALL)
_JOB = re.compile(
    rb"<transactionName>(.*?)</transactionName>.*?<jobHistory><sequence>(\d+)</sequence>.*?<status>(\w+)</status>",
    re.DOTALL,
)


def transaction(name, source, destination, **more):
    """Return a transaction of the configuration that copies the files `*` between two URLs."""
    return {
        "name": name,
        "direction": "outbound",
        "api_allowed": True,
        "source": {"url": source, "files": ["*"]},
        "destination": {"url": destination},
        **more,
    }


class Hub:
    """`crossdock up` with SQLite, every commit fsynced; `at_once` is the number of jobs that run at once."""

    def __init__(self, folder, transactions, *, at_once=8, queue_limit=100, endpoints=None):
        self.folder = folder
        config = {
            "accounts": {
                "Administrator": {
                    "password": {"demo": "diplomat123"},
                    "grants": {"diplomat": {"role": "Administrator", "transactions": ["*"]}},
                }
            },
            "diplomat": {"sessions": {"limit": 100}, "jobs": {"at_once": at_once, "queue_limit": queue_limit}},
            "endpoints": endpoints or {},
            "transactions": transactions,
        }
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "crossdock.yaml"
        file.write_text(yaml.safe_dump(config))
        self.hub = OneMachine(folder, "--config", file, env={"MFT_LOG_LEVEL": "warning"})
        self.data = self.hub.data

    @property
    def database(self):
        """The file of the service's database."""
        return self.data / "state/diplomat-svc/diplomat.db"

    def rows(self, statement):
        """Return the rows of a statement."""
        return self.hub.rows("diplomat", statement)

    def client(self):
        """Return a client with a session of its own."""
        return Client(self.hub.port)

    def processor(self):
        """Return the seconds of processor time that all processes of the hub have used, and their ended children."""
        return sum(_used(pid) for pid in with_descendants([self.hub.program.pid]))

    def wait_idle(self, within=120.0):
        """Wait until every job is over."""
        over = "SELECT count(*) FROM jobs WHERE status != 'Complete'"
        wait_until(lambda: self.rows(over)[0][0] == 0, within=within, what="the end of all jobs")

    def __enter__(self):
        self.hub.start()
        return self

    def __exit__(self, *_):
        self.hub.stop()
        self.hub.kill()


class Client:
    """One session over one connection that is kept."""

    def __init__(self, port):
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._cookie = ""
        answer = self._send(
            "connect", [("userID", "bench"), ("userName", "Administrator"), ("password", "diplomat123")]
        )
        self._cookie = answer.getheader("Set-Cookie").partition(";")[0]

    @property
    def cookie(self):
        """The session's Cookie header."""
        return self._cookie

    def _send(self, kind, pairs):
        self._connection.request(
            "GET", f"{PATH}?{urlencode([('requestType', kind), *pairs])}", headers={"Cookie": self._cookie}
        )
        answer = self._connection.getresponse()
        self.body = answer.read()
        assert answer.status == 200, self.body
        return answer

    def call(self, kind, *pairs):
        """Send a request and return the body of its answer."""
        self._send(kind, pairs)
        return self.body

    def run(self, name):
        """Schedule a job and return its scheduledTime."""
        return int(text(self.call("runNow", ("transactionName", name)), b"scheduledTime"))


def text(body, tag):
    """Return the text of the first element of a name."""
    start = body.index(b"<%s>" % tag) + len(tag) + 2
    return body[start : body.index(b"<", start)].decode()


def changes(body):
    """Return transaction, sequence and status of each most recent job in a transactionStatuses."""
    found = (_JOB.search(one) for one in _STATUS.findall(body))
    return [(one[1].decode(), int(one[2]), one[3].decode()) for one in found if one is not None]


def percentile(values, share):
    """Return a percentile of a list."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def _used(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(each) for each in fields[11:15]) / TICKS
