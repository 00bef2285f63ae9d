"""Let the connections of a client of S3 wait for each byte of an upload as long as for each byte of an answer.

They skip interim answers, as those of web endpoints do.
"""

from typing import Any, Final

import botocore.awsrequest

from mft_common.final_answers import FinalAnswer

_HTTP: Final = botocore.awsrequest.AWSHTTPConnectionPool
_HTTPS: Final = botocore.awsrequest.AWSHTTPSConnectionPool
# The library counts its limit over all that it sends at once.
_PIECE: Final = 64 << 10


def wait_while_idle(client: Any, idle: float) -> None:
    """Let a client give an upload up after `idle` seconds without a byte.

    By itself it does so where a whole part is not sent within its limit to connect, however steadily it is taken, and
    has no setting for that.
    """
    pools = {"http": _pool(_HTTP, idle), "https": _pool(_HTTPS, idle)}
    client._endpoint.http_session._manager.pool_classes_by_scheme = pools  # noqa: SLF001 -- see above


def _pool(base: Any, idle: float) -> Any:
    class Connection(base.ConnectionCls):  # type: ignore[misc]
        response_class = FinalAnswer

        def send(self, data: bytes | bytearray | memoryview) -> None:
            if self.sock is None:
                self.connect()
            self.sock.settimeout(idle)
            # No view of the data is left in an error: its owner may empty it.
            with memoryview(data) as view:
                for start in range(0, len(view), _PIECE):
                    with view[start : start + _PIECE] as piece:
                        super().send(piece)

    class Pool(base):  # type: ignore[misc]
        ConnectionCls = Connection

    return Pool
