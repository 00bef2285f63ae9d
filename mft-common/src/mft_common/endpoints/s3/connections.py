"""Let the connections of a client of S3 wait for each byte of an upload as long as for each byte of an answer.

They skip interim answers, as those of web endpoints do.
"""

from typing import Any, Final

import botocore.awsrequest

from mft_common.endpoints.sending import send_all
from mft_common.final_answers import FinalAnswer

_HTTP: Final = botocore.awsrequest.AWSHTTPConnectionPool
_HTTPS: Final = botocore.awsrequest.AWSHTTPSConnectionPool


def pools(idle: float) -> dict[str, Any]:
    """Return the classes of connection pools by the schemes, for uploads that are given up after `idle` seconds.

    Those of the library send a whole part within the limit to connect.
    """
    return {"http": _pool(_HTTP, idle), "https": _pool(_HTTPS, idle)}


def _pool(base: Any, idle: float) -> Any:
    class Connection(base.ConnectionCls):  # type: ignore[misc]
        response_class = FinalAnswer

        def send(self, data: bytes | bytearray | memoryview) -> None:
            if self.sock is None:
                self.connect()
            self.sock.settimeout(idle)
            send_all(self.sock, data)

    class Pool(base):  # type: ignore[misc]
        ConnectionCls = Connection

    return Pool
