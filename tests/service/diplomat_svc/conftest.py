"""A diplomat-svc over real folders and a real database, with a ten-line directory in the place of the gateway."""

import dataclasses
import os
import secrets
import threading
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest

from diplomat_svc.app import create_app
from diplomat_svc.bootstrap import build, child_modules
from diplomat_svc.settings import Settings
from mft_common import environ_keys
from mft_common.directory import Account, Full, Opened, Session, Throttled, Wrong
from mft_common.identity import Identity
from mft_common.identity_reader import IdentityReader
from mft_common.process.runner import Runner, child_environment
from mft_common.process.unix_server import UnixServer
from tests.servers.diplomat_jobs import dock
from tests.servers.made_secrets import secret
from tests.servers.processes import wait_until

PATH = "/diplomat/APIRequest"
KEY = secret("key-of-diplomat")
PASSWORD = secret("password-of-diplomat")


class _Accounts:
    """Accounts and sessions in two dictionaries; what is refused is decided by the name."""

    def __init__(self):
        self.lock, self.sessions, self.opened = threading.Lock(), {}, 0
        self.roles = {"Administrator": "Administrator", "Viewer": "Viewer"}
        self.grants = {}

    def account(self, name):
        """Return an account; `NoGrant` has none for this service, `Expired` must change its password."""
        grant = {"role": self.roles.get(name, "Administrator"), "transactions": ["*"], **self.grants.get(name, {})}
        return Account(
            name=name,
            contact=f"Contact of {name}",
            number=7,
            grant=None if name == "NoGrant" else grant,
            password_changed_at=1444918078230,
            expired=name == "Expired",
        )

    def verify(self, service, name, password, address):
        """See Directory."""
        if address == "10.9.9.9":
            return Throttled(15)
        return self.account(name) if password == PASSWORD else Wrong()

    def open_session(self, **asked):
        """See Directory."""
        with self.lock:
            gone = {t for t, s in self.sessions.items() if s.public_id == asked["evict"] or t == asked["replace_token"]}
            left = {token: session for token, session in self.sessions.items() if token not in gone}
            if len(left) >= asked["limit"]:
                return Full(tuple(self.sessions.values()))
            self.sessions = left
            token, self.opened = secrets.token_hex(asked["token_bytes"]), self.opened + 1
            self.sessions[token] = Session(
                public_id=f"00000000-0000-4000-8000-{self.opened:012d}",
                service=asked["service"],
                account=asked["account"],
                contact=f"Contact of {asked['account']}",
                label=asked["label"],
                address=asked["address"],
                opened_at=self.opened,
            )
            return Opened(token, self.sessions[token])

    def find_session(self, service, token):
        """See Directory."""
        session = self.sessions.get(token)
        return None if session is None else (session, self.account(session.account))

    def close_session(self, service, public_id):
        """See Directory."""
        self.sessions = {token: one for token, one in self.sessions.items() if one.public_id != public_id}
        return True


class _Answer:
    """One answer: status, root element, headers, and a short way to its texts."""

    def __init__(self, response):
        self.status, self.headers, self.body = response.status_code, response.headers, response.data
        self.root = ElementTree.fromstring(response.data) if response.data else None

    def text(self, path):
        """Return the text of the element at `path`."""
        return self.root.findtext(path)

    def outline(self):
        """Return the tags in document order, those of one level in brackets behind their parent."""
        return _outline(self.root)


def _outline(element):
    return [child.tag if not len(child) else (child.tag, _outline(child)) for child in element]


class _Gateway:
    """The gateway's part: it resolves the cookie and adds an identity."""

    def __init__(self, app, directory):
        self._app, self._directory = app, directory

    def __call__(self, environ, start_response):
        values = [piece.strip().partition("=") for piece in environ.get("HTTP_COOKIE", "").split(";")]
        found = next(
            filter(None, (self._directory.find_session("", v) for n, _, v in values if n == "JSESSIONID")), None
        )
        identity = Identity(
            request_id="r1", address=environ.get("REMOTE_ADDR", ""), scheme=environ["wsgi.url_scheme"], reason="absent"
        )
        if found is not None:
            session, account = found
            identity = identity._replace(
                account=account.name,
                grant=account.grant,
                session=session.public_id,
                label=session.label,
                mechanism="form",
                reason=None,
            )
        environ[environ_keys.IDENTITY] = identity
        return self._app(environ, start_response)


class _Hub:
    """A running service: `call` asks it, `work` runs its worker for the length of a block."""

    def __init__(self, data, config, **options):
        self.data, self.directory, self.options = data, options.pop("directory", None) or _Accounts(), options
        more = {name: options[name] for name in ("runner", "clock", "environ", "reader") if name in options}
        # The filestore that jobs reach lies on a socket; the gateway of the test needs no signature.
        store, worker = options.get("filestore"), {}
        self.server = None
        if store is not None:
            self.server = UnixServer(data / "filestore.sock", store).start()
            worker = {"filestore_url": f"unix:{data}/filestore.sock", "internal_keys": (KEY,)}
        settings = Settings(data=str(data), **worker)
        self.service = build(settings, directory=self.directory, config=config, **more)
        identities = IdentityReader("diplomat-svc", None, self.directory)
        self.app = create_app(dataclasses.replace(self.service, identities=identities))
        self.app.wsgi_app = _Gateway(self.app.wsgi_app, self.directory)
        self.client = self.app.test_client(use_cookies=False)
        self.cookie = None

    def call(self, kind, *pairs, cookie=None, method="GET", path=PATH, **options):
        """Send a request with `pairs` as its query."""
        headers = dict(options.pop("headers", {}))
        if cookie or self.cookie:
            headers["Cookie"] = f"JSESSIONID={cookie or self.cookie}"
        query = options.pop("query_string", urlencode([("requestType", kind), *pairs]))
        return _Answer(self.client.open(path, method=method, query_string=query, headers=headers, **options))

    def connect(self, *more, user="Administrator", password=PASSWORD, user_id="Jim", **options):
        """Send a connect."""
        pairs = [("userID", user_id), ("userName", user), ("password", password), *more]
        return self.call("connect", *pairs, **options)

    def log_in(self, **options):
        """Connect and use the session from now on."""
        answer = self.connect(**options)
        self.cookie = answer.headers["Set-Cookie"].partition(";")[0].removeprefix("JSESSIONID=")
        return self

    def run(self, name, *pairs):
        """Schedule a job and return its scheduledTime."""
        answer = self.call("runNow", ("transactionName", name), *pairs)
        assert answer.status == 200, answer.body
        return int(answer.text("scheduledTime"))

    def status(self, name):
        """Return the transactionStatus element of a transaction."""
        root = self.call("transactionStatuses").root
        return next(one for one in root.iter("transactionStatus") if one.findtext("transactionName") == name)

    def finished(self, name, within=60.0):
        """Wait for the most recent job of a transaction and return its jobHistory."""

        def ended():
            job = self.status(name).find("jobHistory")
            # An element without children counts as false.
            return [job] if job is not None and job.findtext("status") == "Complete" else None

        return wait_until(ended, within=within, what=f"the end of {name}")[0]

    def ready(self, within=60.0):
        """Wait until the worker has recovered."""
        wait_until(lambda: self.client.get("/readyz").status_code == 200, within=within, what="a worker that is ready")

    def work(self):
        """Return a block in which the worker runs."""
        return _Working(self.service.dispatcher())

    def work_with(self, dispatcher):
        """Return a block in which `dispatcher` runs."""
        return _Working(dispatcher)

    def close(self):
        """Close the service and its filestore."""
        self.service.close()
        if self.server is not None:
            self.server.close()

    def rows(self, statement):
        """Return the rows of a statement."""
        from sqlalchemy import text

        with self.service.database.read() as connection:
            return connection.execute(text(statement)).all()


class _Working:
    def __init__(self, dispatcher):
        self.stop, self.errors = threading.Event(), []
        self.thread = threading.Thread(target=self._run, args=(dispatcher,))

    def _run(self, dispatcher):
        try:
            dispatcher.run(self.stop)
        except Exception as error:  # noqa: BLE001 -- asserted at the end of the block
            self.errors.append(error)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        assert self.errors == []


def _transaction(name, **more):
    source = {"url": "file:from", "files": ["*"], **more.pop("source", {})}
    destination = {"url": "file:to", **more.pop("destination", {})}
    return {
        "name": name,
        "direction": "outbound",
        "api_allowed": True,
        "source": source,
        "destination": destination,
        "retries": {"file": 2, "file_delay": "10ms"},
        **more,
    }


@pytest.fixture
def transaction():
    """Make a transaction of the configuration that moves DATA/from to DATA/to; `more` replaces its keys."""
    return _transaction


@pytest.fixture(scope="session")
def runner():
    """Return the runner of the jobs of all tests."""
    with Runner("diplomat-svc", child_modules({}), environment=child_environment(os.environ)) as made:
        yield made


@pytest.fixture
def hub(tmp_path, runner):
    """Return a function that builds a hub of some transactions; all are closed at the end."""
    made = []

    def make(*transactions, data=None, diplomat=None, allowed_folders=(), endpoints=None, openpgp=None, **options):
        data = data or tmp_path
        (data / "from").mkdir(exist_ok=True)
        (data / "to").mkdir(exist_ok=True)
        config = {
            "diplomat": {"display_name": "dock-1", **(diplomat or {})},
            "transactions": list(transactions),
            "allowed_folders": list(allowed_folders),
            "endpoints": endpoints or {},
            "openpgp": openpgp or {},
        }
        made.append(_Hub(data, config, runner=runner, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def later(hub, transaction):
    """Return a function that makes a hub whose next attempts begin when `later.now` says so."""
    now = [1_000_000]

    def make(files, **more):
        retries = {"file": 0, "job": 2, "job_delay": "10m"}
        one = transaction("one", retries=retries, **{"delete_source": True, **more})
        return dock(hub, files, one, clock=lambda: now[0])

    make.now = now
    return make
