"""Turn what a bucket answers into transfer errors; no text of the library, which may hold an address, is passed on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import urllib3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
)

from mft_common.endpoints.certificates import is_certificate_error
from mft_common.endpoints.errors import (
    AuthenticationFailed,
    BadName,
    Changed,
    Denied,
    DiskFull,
    Exists,
    Mismatch,
    NotFound,
    NotSent,
    TransferError,
    Transient,
    Unsupported,
    UntrustedServer,
)
from mft_common.endpoints.names import printable

_CODES: Final[Mapping[str, type[TransferError]]] = {
    "NoSuchKey": NotFound,
    "NoSuchBucket": NotFound,
    "NoSuchUpload": NotFound,
    "InvalidAccessKeyId": AuthenticationFailed,
    "SignatureDoesNotMatch": AuthenticationFailed,
    "AuthorizationHeaderMalformed": AuthenticationFailed,
    "ExpiredToken": AuthenticationFailed,
    "InvalidToken": AuthenticationFailed,
    "RequestTimeTooSkewed": AuthenticationFailed,
    "PreconditionFailed": Exists,
    "ConditionalRequestConflict": Transient,
    "OperationAborted": Transient,
    "RequestTimeout": Transient,
    "SlowDown": Transient,
    "BadDigest": Mismatch,
    "XAmzContentSHA256Mismatch": Mismatch,
    "IncompleteBody": Transient,
    "InvalidPart": Mismatch,
    "EntityTooLarge": DiskFull,
    "QuotaExceeded": DiskFull,
    "XMinioStorageFull": DiskFull,
    "XMinioAdminBucketQuotaExceeded": DiskFull,
    "KeyTooLongError": BadName,
    "NotImplemented": Unsupported,
    "MethodNotAllowed": Unsupported,
    "InvalidRange": Changed,
}
_STATUSES: Final[Mapping[int, type[TransferError]]] = {
    401: AuthenticationFailed,
    403: Denied,
    404: NotFound,
    405: Unsupported,
    408: Transient,
    409: Transient,
    412: Exists,
    413: DiskFull,
    416: Changed,
    429: Transient,
    501: Unsupported,
    507: DiskFull,
}

# The errors of a connection that was not made.
_NOT_SENT: Final = (EndpointConnectionError, ConnectTimeoutError)
_REASONS: Final[Mapping[type[TransferError], str]] = {NotFound: "does not exist", Exists: "exists already"}


@contextmanager
def s3_errors(name: str, codes: Mapping[str, type[TransferError]] | None = None) -> Iterator[None]:
    """Turn every error of the library into a TransferError about the file `name`; `codes` go before the usual ones."""
    shown = printable(name) or "the bucket"
    try:
        yield
    except ClientError as error:
        raise _of_answer(error.response, shown, codes or {}) from error
    except NoCredentialsError as error:
        raise AuthenticationFailed(f"{shown}: there are no credentials for the bucket") from error
    except ParamValidationError as error:
        raise BadName(f"{shown}: the bucket or the key has a name that S3 does not allow") from error
    except (BotoCoreError, urllib3.exceptions.HTTPError, OSError) as error:
        if is_certificate_error(error):
            raise UntrustedServer(f"{shown}: the certificate of the bucket's server is not trusted") from error
        found = NotSent if isinstance(error, _NOT_SENT) else Transient
        raise found(f"{shown}: the bucket does not answer ({type(error).__name__})") from error


@contextmanager
def client_errors(shown: str) -> Iterator[None]:
    """Turn what the library refuses before the first request into BadName: waiting does not heal a configuration."""
    try:
        yield
    except (BotoCoreError, ValueError) as error:
        raise BadName(f"{shown}: the address or the region of the bucket cannot be used") from error


def _of_answer(answer: Mapping[str, Any], shown: str, codes: Mapping[str, type[TransferError]]) -> TransferError:
    code = str(answer.get("Error", {}).get("Code", ""))
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    found = codes.get(code) or codes.get(str(status)) or _CODES.get(code) or _STATUSES.get(status)
    if found is None:
        found = Transient if status >= 500 or status < 400 else Denied
    if code == "NoSuchBucket":
        return found("the bucket does not exist")
    return found(f"{shown}: {_REASONS.get(found) or f'the bucket answers {printable(code)[:60] or status}'}")
