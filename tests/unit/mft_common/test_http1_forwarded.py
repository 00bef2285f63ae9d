"""Requests that the gateway takes, written for the next hop and read by the gunicorn of a service."""

import random

import pytest
from gunicorn.config import Config
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader

from mft_common import environ_keys
from mft_common.http1.request_head import RequestHeadError, parse_request_head
from mft_common.http1.request_writer import write_request_head
from mft_common.process import gunicorn_conf
from tests.unit.mft_common.http1_messages import make_head

ADDED = {"HTTP_X_REQUEST_ID": "a" * 32, environ_keys.IDENTITY_HEADER: "b" * 8000}


def settings():
    """Return gunicorn's settings of a service."""
    config = Config()
    for name, value in vars(gunicorn_conf).items():
        if name in config.settings:
            config.set(name, value)
    return config


CONFIG = settings()


def forward(head):
    """Return the request as the service's gunicorn reads it."""
    raw = write_request_head({**head.environ, **ADDED}, "") + b"\r\n"
    return Request(CONFIG, IterUnreader(iter([raw])), ("127.0.0.1", 1))


def test_a_connection_field_takes_away_nothing_that_the_gateway_sets():
    """A client must not reach a service without its identity, its request id or its Host."""
    tokens = b"close, Host, X-Crossdock-Identity, x-request-id, X-Own"
    raw = b"GET /2.0/x HTTP/1.1\r\nHost: dock\r\nX-Own: 1\r\nConnection: " + tokens + b"\r\n\r\n"
    seen = dict(forward(parse_request_head(raw, 100)).headers)
    assert seen == {"HOST": "dock", "X-REQUEST-ID": "a" * 32, "X-CROSSDOCK-IDENTITY": "b" * 8000}


@pytest.mark.parametrize("batch", range(4))
def test_a_service_takes_each_request_that_the_gateway_takes(batch):
    """No request ends in an answer of a service's gunicorn, which knows no vendor's form."""
    random_ = random.Random(batch)
    taken = 0
    for _ in range(500):
        message = make_head(random_)
        try:
            head = parse_request_head(message.raw, 100)
        except RequestHeadError:
            continue
        if head.environ["RAW_URI"] == "*":
            # The gateway answers this itself.
            continue
        request = forward(head)
        assert (request.method, request.path) == (head.method, head.environ[environ_keys.RAW_PATH] or "/")
        assert request.query == head.environ["QUERY_STRING"]
        taken += 1
    assert taken > 200


def test_a_service_takes_as_many_fields_as_the_gateway():
    """The fields that the gateway adds do not count against the client's."""
    fields = b"".join(b"X-%d: y\r\n" % number for number in range(99))
    head = parse_request_head(b"GET / HTTP/1.1\r\nHost: h\r\n" + fields + b"\r\n", 100)
    assert len(forward(head).headers) == 102


def test_a_service_takes_as_long_a_head_as_the_gateway():
    """One field may fill the gateway's limit of 64 KiB, and so may the target."""
    for raw in (
        b"GET / HTTP/1.1\r\nHost: h\r\nX-A: " + b"y" * 65_000 + b"\r\n\r\n",
        b"GET /" + b"y" * 32_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
    ):
        assert forward(parse_request_head(raw, 100)).method == "GET"
