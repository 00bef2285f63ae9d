"""Events of other services: which tasks they wake, and what the agent's log shows."""

import pytest
import sqlalchemy as sa

from mft_common.events import AccountChanged, BatchHandler, Envelope, FileStored, LocalBus, SessionClosed
from sertainty_svc.events import handlers
from sertainty_svc.operations.arrivals import Arrivals
from sertainty_svc.store.tables import AGENT_LOG, DELIVERIES
from tests.service.sertainty_svc.protector import START


@pytest.fixture
def bound(hub):
    """The handlers of a hub whose agent was started."""
    return handlers(Arrivals(hub.service.database, lambda: hub.now))


def handle(hub, bound, event):
    """Handle an event as the worker does."""
    envelope = Envelope(id="e", source="s", type=event.TYPE, subject=event.subject(), time=START, data=event)
    found = bound[type(event)]
    with hub.service.database.write() as connection:
        if isinstance(found, BatchHandler):
            found.handle(connection, [envelope])
        else:
            found(connection, envelope)


def entries(hub):
    """Return the texts about sessions in the agent's log."""
    with hub.service.database.read() as connection:
        found = [row.text for row in connection.execute(sa.select(AGENT_LOG.records.c.text))]
    return [text for text in found if "session" in text]


def test_112_the_end_of_a_session_of_this_protocol_is_in_the_agents_log(hub, bound):
    """Item 112: with its account and the reason; sessions of other services and changed accounts are not."""
    for service, reason in (("sertainty-svc", "idle"), ("diplomat-svc", "closed")):
        values = {"service": service, "public_id": "p1", "account": "auditor", "address": "10.0.0.9"}
        handle(hub, bound, SessionClosed(**values, reason=reason))
    handle(hub, bound, AccountChanged(name="auditor", revision=2, what="changed"))
    (text,) = (text for text in entries(hub) if "session" in text)
    for part in ("The session has ended: idle.", "session.closed", "auditor", "10.0.0.9"):
        assert part in text
    assert "p1" not in text


def test_112_a_file_that_no_task_waits_for_leaves_nothing(hub, bound):
    """Item 112: without an active configuration no folder is watched."""
    stored = FileStored(
        account="system", address="", path="/in/x", fileset=1, size=1, sha256="0" * 64, datatype="binary",
        transfer_id="41" * 24,
    )  # fmt: skip
    handle(hub, bound, stored)
    with hub.service.database.write() as connection:
        assert DELIVERIES.purge(connection, START + 1, 10) == 0


def test_84_85_the_worker_looks_at_folders_and_times(hub):
    """Items 84 and 85: the tasks of the worker, by their names."""
    bus = LocalBus({"sertainty-svc": hub.service.database})
    names = {part.name for part in hub.service.background_tasks(bus)}
    assert {"sertainty-svc-watching", "sertainty-svc-schedules", "sertainty-svc-deliveries"} <= names
