"""The service over a database of its own, with a fake directory and requests of any identity."""

import dataclasses

from mft_common import environ_keys
from mft_common.clock import now_ms
from mft_common.directory import Account, Opened, Session, Throttled, Wrong
from mft_common.events import (
    Agent,
    Envelope,
    Item,
    Originator,
    Side,
    Totals,
    TransferEnded,
    TransferProgressed,
    TransferStarted,
)
from mft_common.identity import Identity
from mqmft_svc import bootstrap
from mqmft_svc.app import create_app
from mqmft_svc.events import handlers
from mqmft_svc.settings import Settings

BASE = 1_780_000_000_000
ADMIN = {"roles": ["MFTWebAdmin"]}


class FakeDirectory:
    """Has the one account `mftadmin` for logins; tokens are counted.

    Monitors and schedules find every account, those of `changed` as they are there: None is one that is gone.
    """

    def __init__(self):
        self.changed = {}
        self.open = {}
        self.opened_with = []

    def verify(self, service, name, password, address):
        """See Directory; the user `throttled` has guessed too often."""
        if name == "throttled":
            return Throttled(30)
        return Account(name=name, grant=ADMIN) if (name, password) == ("mftadmin", "mftadmin") else Wrong()

    def account(self, service, name):
        """See Directory; an error that stands for an account is raised."""
        found = self.changed.get(name, Account(name=name, grant=ADMIN))
        if isinstance(found, Exception):
            raise found
        return found

    def open_session(self, **request):
        """See Directory."""
        self.opened_with.append(request)
        token = f"token{len(self.opened_with)}"
        self.open[token] = request
        return Opened(token, Session(public_id=token, service=request["service"], account=request["account"]))

    def close_token(self, service, token):
        """See Directory."""
        return self.open.pop(token, None) is not None


class Hub:
    """One service, its client, and the calls that the tests make."""

    def __init__(self, folder, config=None, reader=None, runner=None, now=now_ms, **environ):
        values = {"MFT_DATA": str(folder), "MQMFT_DATABASE_URL": f"sqlite:///{folder}/mqmft.db", **environ}
        if config is None:
            values.setdefault("MQMFT_COORDINATION_QMGR", "QM1")
        self.directory = FakeDirectory()
        self.service = bootstrap.build(
            Settings.from_env(values),
            directory=self.directory,
            config=config or {},
            reader=reader,
            runner=runner,
            now=now,
        )
        self.serve(self.service)
        self.handlers = handlers(self.service.operations)
        self.sequence = 0

    def serve(self, service):
        """Send requests to the application of `service` from now on."""
        self.app = create_app(service)
        self.client = self.app.test_client(use_cookies=False)

    def ask(self, path, method="GET", *, identity=None, **options):
        """Send a request as `identity`, by default an administrator's."""
        environ = {environ_keys.IDENTITY: identity or caller()}
        return self.client.open(path, method=method, environ_overrides=environ, **options)

    def mft(self, path="", version="v3", **options):
        """Ask for transfers."""
        return self.ask(f"/ibmmq/rest/{version}/admin/mft/transfer{path}", **options)

    def agents(self, path="", version="v3", **options):
        """Ask for agents."""
        return self.ask(f"/ibmmq/rest/{version}/admin/mft/agent{path}", **options)

    def tell(self, *envelopes):
        """Handle events in one transaction and together, as a bus does."""
        (together,) = {self.handlers[type(envelope.data)] for envelope in envelopes}
        with self.service.database.write() as connection:
            together.handle(connection, envelopes)

    def upload(self, number, *, at=None, **changes):
        """Record a finished upload of one file, and return its id."""
        event = ended(number, at=at, **changes)
        self.sequence += 1
        self.tell(envelope(event, self.sequence, time=event.ended_at))
        return event.transfer_id


def caller(account="mftadmin", roles=("MFTWebAdmin",), topics=(), **changes):
    """Return an identity as the gateway hands it over."""
    grant = {"roles": list(roles), "topics": list(topics)}
    values = {"request_id": "r1", "address": "10.0.0.9", "account": account, "grant": grant, "mechanism": "basic"}
    return Identity(**{**values, **changes})


def nobody(reason, **changes):
    """Return the identity of a caller without an account."""
    return Identity(request_id="r1", address="10.0.0.9", reason=reason, **changes)


def transfer_id(number):
    """Return the id of test transfer `number`."""
    return f"{'414D5120514D31'.ljust(32, '2')}{number:016X}"


def envelope(event, sequence, time=BASE):
    """Wrap an event."""
    return Envelope(
        id=f"e{sequence}",
        source="t",
        type=event.TYPE,
        subject=event.subject(),
        time=time,
        data=event,
        sequence=sequence,
    )


def _head(number, submitted):
    return {
        "transfer_id": transfer_id(number),
        "protocol": "http-mft",
        "source_agent": Agent(name="CLIENT"),
        "destination_agent": Agent(name="FILESTORE"),
        "originator": Originator(account="part1", host="10.1.2.3"),
        "submitted_at": submitted,
        "job_name": "",
        "user_properties": {"crossdock.protocol": "http-mft"},
    }


def file_item(index=0, state="successful", size=12, **changes):
    """Return an item of one file."""
    source = Side(type="file", path="crate.bin", size=size, modified_at=BASE, disposition="leave")
    destination = Side(type="file", path="/in/crate.bin", size=size, md5="ab" * 16, if_exists="overwrite")
    return dataclasses.replace(Item(index=index, state=state, source=source, destination=destination), **changes)


def started(number, *, at=None, **changes):
    """Return a started event."""
    values = {**_head(number, at or BASE + number * 1000), "state": "started", "totals": Totals(files=1)}
    return TransferStarted(**{**values, **changes})


def progressed(number, **changes):
    """Return a progressed event."""
    values = {
        "transfer_id": transfer_id(number),
        "protocol": "http-mft",
        "state": "inProgress",
        "totals": Totals(files=1),
    }
    return TransferProgressed(**{**values, **changes})


def ended(number, *, at=None, **changes):
    """Return an ended event of a good upload."""
    submitted = at or BASE + number * 1000
    values = {
        **_head(number, submitted),
        "state": "successful",
        "began_at": submitted + 1,
        "ended_at": submitted + 5,
        "totals": Totals(files=1, successes=1, bytes_sent=12),
        "items": (file_item(),),
    }
    return TransferEnded(**{**values, **changes})
