"""The service over a database of its own, with a fake directory and a client for the envelope."""

import base64
import threading
from contextlib import contextmanager
from xml.etree import ElementTree as ET

import sqlalchemy as sa

from mft_common import environ_keys
from mft_common.directory import Account, Challenge, Denied, Full, Opened, Session, Trusted
from mft_common.identity import Identity
from sertainty_svc import bootstrap
from sertainty_svc.app import create_app
from sertainty_svc.schemas import logs
from sertainty_svc.settings import Settings
from sertainty_svc.store import logs as store
from sertainty_svc.store.tables import configuration, execution

PROMPTS = ("Port of registry?", "Berth number?")
START = 1_780_000_000_000
# Contents that are neither text nor XML.
BYTES = bytes(range(256)) + b"\r\n\x00"


def b64(content):
    """Return Base64 as a client writes it."""
    return base64.b64encode(content.encode() if isinstance(content, str) else content).decode()


class FakeDirectory:
    """Has a trusted `operator`, an `auditor` with prompts, a `reader` who may only read, and `full` at its limit."""

    def __init__(self):
        self.open = {}
        self.asked = []
        self.wrong = 0

    def _account(self, name):
        return Account(name=name, grant={"role": "read" if name == "reader" else "full"})

    def prompts(self, name, address):
        """See Directory."""
        if name in {"operator", "reader", "full", "watcher"}:
            return Trusted(self._account(name))
        return Denied() if name == "outcast" else Challenge(PROMPTS)

    def verify_prompts(self, name, answers, address):
        """See Directory; three wrong sets are denied, and `throttled` is always held back."""
        self.asked.append((name, tuple(answers), address))
        if name == "throttled":
            return Denied(30)
        if [text for _, text in answers] == ["Rotterdam", "7"] and name == "auditor":
            return self._account(name)
        self.wrong += 1
        return Denied() if self.wrong % 3 == 0 else Challenge(PROMPTS)

    def open_session(self, **request):
        """See Directory."""
        if request["account"] == "full":
            return Full(())
        token = f"{request['account']}{len(self.open):x}".ljust(43, "_")
        session = Session(public_id=token[:9], service=request["service"], account=request["account"])
        self.open[token] = (session, self._account(request["account"]), request)
        return Opened(token, session)

    def find_session(self, service, token):
        """See Directory."""
        found = self.open.get(token)
        return found and found[:2]

    def close_token(self, service, token):
        """See Directory."""
        return self.open.pop(token, None) is not None


class Reply:
    """One answer, read as a client reads it."""

    def __init__(self, answer):
        self.http = answer
        self.root = ET.fromstring(answer.data)
        self.status = int(self.root.findtext("Status"))
        self.message = self.root.findtext("StatusMessage")
        results = self.root.find("ResultList")
        self.contents = None if results is None else [base64.b64decode(one.text or "") for one in results]
        self.results = self.contents and [content.decode(errors="replace") for content in self.contents]
        self.names = None if results is None else [one.get("name") for one in results]

    @property
    def detail(self):
        """The detail in the header."""
        return self.http.headers.get("Crossdock-Detail")


class Hub:
    """One service with its client; `now` is the service's clock and moves only by hand."""

    def __init__(self, folder, config=None, **environ):
        values = {"SERTAINTY_DATABASE_URL": f"sqlite:///{folder}/s.db", "MFT_DATA": str(folder / "data"), **environ}
        self.now = START
        self.directory = FakeDirectory()
        self.service = bootstrap.build(
            Settings.from_env(values), directory=self.directory, config=config or {}, now=lambda: self.now
        )
        self.client = create_app(self.service).test_client(use_cookies=False)
        self.worker = self.service.agent_worker
        self.worker.look()

    @contextmanager
    def working(self):
        """Let the worker run its agent meanwhile."""
        with running(self.worker):
            yield

    def send(self, body, *, method="POST", path="/dataprotector", address="10.0.0.9", environ=None, **options):
        """Send bytes as the gateway hands them over."""
        environ = {environ_keys.IDENTITY: Identity(request_id="r1", address=address), **(environ or {})}
        return self.client.open(path, method=method, data=body, environ_overrides=environ, **options)

    def call(self, function, *arguments, session=None, **options):
        """Call a function; an argument is a text, bytes, or a pair of its name and either."""
        parts = [f"<Function>{function}</Function>"]
        if session is not None:
            parts.append(f"<Session>{session}</Session>")
        if arguments:
            parts.append("<ArgList>" + "".join(map(written, arguments)) + "</ArgList>")
        return Reply(self.send(f"<Request>{''.join(parts)}</Request>".encode(), **options))

    def add_configuration(self, name):
        """Store a configuration without tasks."""
        with self.service.database.write() as connection:
            connection.execute(sa.insert(configuration).values(name=name, tasks=b"<Tasks/>", saved_at=self.now))

    def login(self, account="operator"):
        """Open a session and return its id."""
        (session,) = self.call("hostOpenSession", account).results
        return session


def blank_execution(**values):
    """Return the row of an execution: 0 and an empty text where no value is given."""
    needed = [one for one in execution.c if not one.nullable and one.name != "id"]
    row = {one.name: "" if isinstance(one.type, sa.String) else 0 for one in needed}
    return {**row, "has_files": False, "transfer_id": "A" * 48, **values}


def agent_log(hub, name=None):
    """Return the agent's log as callers get it, or an older one as it is stored, by its name."""
    if name is None:
        (document,) = hub.call("agentGetLog", session=hub.login("watcher")).results
        return without_own_session(ET.fromstring(document))
    with hub.service.database.read() as connection:
        return without_own_session(ET.fromstring(logs.agent_log(store.of_start(connection, name))))


def without_own_session(log):
    """Return a log without the sessions by which `agent_log` looked at it."""
    for entry in [one for one in log if one.get("user") == "watcher"]:
        log.remove(entry)
    return log


def events(log):
    """Return the events of a log's entries."""
    return [entry.get("event") for entry in log.iter("Entry")]


@contextmanager
def running(worker):
    """Run an agent's worker in a thread, and stop it cleanly."""
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def written(argument):
    """Return one Argument element."""
    if isinstance(argument, tuple):
        return f'<Argument name="{argument[0]}">{b64(argument[1])}</Argument>'
    return f"<Argument>{b64(argument)}</Argument>"
