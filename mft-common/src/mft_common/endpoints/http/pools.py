"""Make the connections of a web endpoint, which skip the interim answers of a server."""

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


def manager(plain: type[Plain] = Plain, secure: type[Secure] = Secure, **options: Any) -> urllib3.PoolManager:
    """Return a pool manager of these connections without retries; `options` are those of urllib3."""

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = secure

    made = urllib3.PoolManager(retries=False, **options)
    made.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
    return made
