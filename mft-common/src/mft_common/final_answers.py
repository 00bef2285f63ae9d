"""Read the final answer to an HTTP request, behind the interim ones that a server may send before it."""

import http.client
from typing import Final

_CONTINUE: Final = 100
# All but 101, after which no HTTP follows.
_INTERIM: Final = range(102, 200)


class FinalAnswer(http.client.HTTPResponse):
    """The final answer to a request: interim ones before it, such as 102 and 103, are skipped (RFC 9110, 15.2)."""

    def _read_status(self) -> tuple[str, int, str]:
        # The base class, whose declaration lacks this, skips the interim answers of one status alone.
        version, status, reason = super()._read_status()  # type: ignore[misc]
        return version, _CONTINUE if status in _INTERIM else status, reason
