"""Errors about a broker's URL hold no part of its password."""

import pytest

from mft_common.errors import Unavailable
from mft_common.events.rabbit.broker_connection import BrokerConnection
from mft_common.events.rabbit.foreign_queue import ForeignSettings
from tests.servers.made_secrets import secret

PASSWORD = secret("half-of-a-password")


@pytest.mark.parametrize("sign", ["/", "?", "#", "[", ":"])
def test_a_url_that_cannot_be_read_is_told_without_its_password(sign):
    """Not even the part before the sign, which reads as a port."""
    settings = ForeignSettings(url=f"amqp://user:{PASSWORD}{sign}rest@localhost:x/", queue="q")
    with pytest.raises(Unavailable) as raised:
        BrokerConnection(settings, "reader").open()
    error: BaseException | None = raised.value
    assert "is not of the form amqp://user:password@host:port/vhost" in str(error)
    while error is not None:
        assert PASSWORD not in repr(error)
        error = error.__cause__
