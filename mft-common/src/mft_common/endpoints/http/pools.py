"""Make the connections of a web endpoint, which skip the interim answers of a server."""

import ssl
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from mft_common.final_answers import FinalAnswer


class Plain(HTTPConnection):
    """A connection without TLS."""

    # urllib3 declares the class of its own answers, which it makes of these.
    response_class: Any = FinalAnswer


class Secure(HTTPSConnection):
    """A connection with TLS."""

    response_class: Any = FinalAnswer


class PlainPool(urllib3.HTTPConnectionPool):
    """Connections without TLS to one server."""

    ConnectionCls = Plain


class SecurePool(urllib3.HTTPSConnectionPool):
    """Connections with TLS to one server."""

    ConnectionCls = Secure


def pool(
    host: str, port: int | None, *, maxsize: int, ssl_context: ssl.SSLContext | None
) -> urllib3.HTTPConnectionPool:
    """Return a pool of connections to one server, with TLS where `ssl_context` is given, without retries."""
    if ssl_context is None:
        return PlainPool(host, port, maxsize=maxsize, retries=False)
    return SecurePool(host, port, maxsize=maxsize, retries=False, ssl_context=ssl_context)


def manager(plain: type[Plain], secure: type[Secure], **options: Any) -> urllib3.PoolManager:
    """Return a pool manager of these connections without retries; `options` are those of urllib3."""

    class PlainPools(PlainPool):
        ConnectionCls = plain

    class SecurePools(SecurePool):
        ConnectionCls = secure

    made = urllib3.PoolManager(retries=False, **options)
    made.pool_classes_by_scheme = {"http": PlainPools, "https": SecurePools}
    return made
