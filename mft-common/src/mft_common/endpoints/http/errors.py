"""Turn what an HTTP server answers into transfer errors; no text of the library, which may hold a URL, is passed on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from typing import Final

import urllib3

from mft_common.endpoints.certificates import is_certificate_error
from mft_common.endpoints.errors import (
    AuthenticationFailed,
    BadName,
    Changed,
    Denied,
    DiskFull,
    Exists,
    NotFound,
    TransferError,
    Transient,
    Unsupported,
    UntrustedServer,
)

_STATUSES: Final[Mapping[int, type[TransferError]]] = {
    401: AuthenticationFailed,
    404: NotFound,
    405: Unsupported,
    408: Transient,
    # A WebDAV server's word for a folder that is not there.
    409: NotFound,
    410: NotFound,
    412: Exists,
    413: DiskFull,
    414: BadName,
    416: Changed,
    423: Transient,
    425: Transient,
    429: Transient,
    501: Unsupported,
    507: DiskFull,
}

_REASONS: Final[Mapping[int, str]] = {404: "does not exist", 410: "does not exist", 412: "exists already"}


@contextmanager
def http_errors(shown: str) -> Iterator[None]:
    """Turn every error of the connection into a TransferError about the file `shown`."""
    try:
        yield
    except (urllib3.exceptions.LocationValueError, UnicodeError) as error:
        raise BadName(f"{shown}: the name of the server cannot be a host's") from error
    except (urllib3.exceptions.HTTPError, HTTPException, OSError) as error:
        if is_certificate_error(error):
            raise UntrustedServer(f"{shown}: the server's certificate is not trusted") from error
        raise Transient(f"{shown}: the server does not answer, or not to the end ({type(error).__name__})") from error


def of_status(status: int, shown: str) -> TransferError:
    """Return the error of a status that is no success."""
    found = _STATUSES.get(status) or (Denied if 400 <= status < 500 else Transient)
    return found(f"{shown}: {_REASONS.get(status) or f'the server answers {status}'}")
