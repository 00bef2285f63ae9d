"""Describe a queue of another system, and the errors that its broker may answer with."""

from dataclasses import dataclass, field
from typing import Any, Final

from pika.exceptions import (
    AuthenticationError,
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from mft_common.endpoints.errors import AuthenticationFailed, Denied, NotFound, TransferError, Transient
from mft_common.events.rabbit.broker_connection import Settings
from mft_common.events.topology import Topology

_REFUSED: Final = (AuthenticationError, ProbableAuthenticationError, ProbableAccessDeniedError)
# Reply codes of AMQP 0-9-1.
_ACCESS_REFUSED: Final = 403
_NOT_FOUND: Final = 404
_LOCKED: Final = 405
_PRECONDITION: Final = 406
_TOO_LARGE: Final = 311
_NOT_ALLOWED: Final = 530


class BrokerAway(Transient):
    """The broker cannot be reached, does not answer, or was lost."""


@dataclass(frozen=True, kw_only=True)
class QueueSettings(Settings):
    """The address of a queue, which must exist: it is never declared. `broker` is what errors call its broker."""

    queue: str
    broker: str = "the message broker"
    topology: Topology = field(default_factory=dict)

    def declare(self, channel: Any) -> None:
        """Ask for the queue; the channel is closed where it does not exist."""
        channel.queue_declare(self.queue, passive=True, callback=lambda _ok: None)

    def error_of(self, error: BaseException | None) -> TransferError:
        """Return the reason for which a connection was lost or did not come about; no text has the address."""
        if isinstance(error, TransferError):
            return error
        if isinstance(error, _REFUSED):
            return AuthenticationFailed(f"{self.broker} refuses the user, the password or the virtual host")
        if isinstance(error, ChannelClosedByBroker | ConnectionClosedByBroker):
            code = error.reply_code
            if code == _NOT_FOUND:
                return NotFound(f"{self.broker} has no queue {self.queue}")
            if code in (_ACCESS_REFUSED, _LOCKED, _NOT_ALLOWED):
                return Denied(f"{self.broker} refuses access to the queue {self.queue}")
            if code in (_PRECONDITION, _TOO_LARGE):
                return TransferError(f"{self.broker} refuses the messages for the queue {self.queue}")
        reason = "no answer in time" if error is None else type(error).__name__
        return BrokerAway(f"{self.broker} does not answer ({reason})")
