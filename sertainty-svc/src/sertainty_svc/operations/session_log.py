"""Record in the agent's log how sessions of this protocol end (74)."""

import sqlalchemy as sa

from mft_common.events import Envelope, SessionClosed
from sertainty_svc import SERVICE
from sertainty_svc.store import logs


def session_closed(connection: sa.Connection, envelope: Envelope[SessionClosed]) -> None:
    """Log the end of a session with its reason; sessions of other protocols are passed over. Nothing is kept (22)."""
    event = envelope.data
    if event.service == SERVICE:
        text = f"The session has ended: {event.reason}."
        logs.append_to_agent(
            connection, envelope.time, "session.closed", text, user=event.account, address=event.address
        )
