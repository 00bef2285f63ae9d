"""A queue of RabbitMQ that has been declared and has no leader yet is asked again; other failures are raised."""

import pytest
from pika.exceptions import ConnectionClosedByBroker

from mft_common.errors import Unavailable
from mft_common.events.rabbit.dead_letters import retry_without_leader


def failing(times, reply_code):
    """Return an operation that breaks off `times` times with this code, then returns "done", and its calls."""
    calls = []

    def operation():
        calls.append(reply_code)
        if len(calls) <= times:
            raise Unavailable("RabbitMQ broke off") from ConnectionClosedByBroker(reply_code, "noproc")
        return "done"

    return operation, calls


def test_an_operation_is_repeated_until_the_queue_has_a_leader():
    """The code 541, an internal error, is what RabbitMQ answers meanwhile."""
    operation, calls = failing(1, 541)
    assert retry_without_leader(operation) == "done"
    assert len(calls) == 2


def test_an_operation_that_was_closed_for_another_reason_is_not_repeated():
    """The code 320 closes connections when the broker stops."""
    operation, calls = failing(1, 320)
    with pytest.raises(Unavailable, match="broke off"):
        retry_without_leader(operation)
    assert len(calls) == 1
