"""Turn what an FTP server answers, and what breaks a connection, into the errors of transfers."""

import ftplib
import re
import ssl
from typing import Final

from mft_common.endpoints.errors import (
    AuthenticationFailed,
    Denied,
    DiskFull,
    Exists,
    NotFound,
    TargetIsFolder,
    TransferError,
    Transient,
    Unsupported,
    UntrustedServer,
    reason_of,
)
from mft_common.endpoints.names import printable

Reply = (ftplib.error_perm, ftplib.error_temp)
# The connection goes on after these alone; after any other error an answer may be left unread.
_LOST: Final = "421"
_LONGEST: Final = 200

# Texts of servers, in the order in which they are looked for: the codes say less.
_TEXTS: Final[tuple[tuple[re.Pattern[str], type[TransferError]], ...]] = (
    (re.compile(r"no space|disk full|quota|insufficient storage", re.IGNORECASE), DiskFull),
    (re.compile(r"no such|not found|does ?n[o']t exist|cannot find", re.IGNORECASE), NotFound),
    (re.compile(r"is a directory|not a (regular|plain) file", re.IGNORECASE), TargetIsFolder),
    (re.compile(r"already exists|file exists", re.IGNORECASE), Exists),
)
# 522 is vsftpd's word for a data connection whose TLS session is another one than the control connection's: a new
# control connection heals that.
_CODES: Final[dict[str, type[TransferError]]] = {
    "452": DiskFull,
    "552": DiskFull,
    "500": Unsupported,
    "501": Unsupported,
    "502": Unsupported,
    "504": Unsupported,
    "522": Transient,
    "530": AuthenticationFailed,
}


def code_of(error: ftplib.Error) -> str:
    """Return the three digits of an answer."""
    return str(error)[:3]


def ends_connection(error: ftplib.Error) -> bool:
    """Return True for the answer by which a server closes the control connection."""
    return code_of(error) == _LOST


def of_reply(error: ftplib.Error, name: str) -> TransferError:
    """Return the error of an answer to a command about `name`."""
    text = str(error)
    code = code_of(error)
    cls = next((cls for pattern, cls in _TEXTS if pattern.search(text)), None)
    if code == "421" or (cls is not DiskFull and code.startswith("4") and code not in _CODES):
        cls = Transient
    cls = cls or _CODES.get(code, Denied)
    return cls(f"{shown(name)}: the server answered {answer(text)}")


def of_failure(error: BaseException, name: str) -> TransferError:
    """Return the error of a connection that broke, or of an answer that is none."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return UntrustedServer(f"{shown(name)}: the server's certificate is not accepted ({error.verify_message})")
    if isinstance(error, TimeoutError):
        return Transient(f"{shown(name)}: the server did not answer in time")
    return Transient(f"{shown(name)}: the connection broke ({reason_of(error)})")


def answer(text: str) -> str:
    """Return an answer's text for messages: its last line, printable and not too long."""
    last = printable(text.strip().rpartition("\n")[2])
    return last if len(last) <= _LONGEST else f"{last[:_LONGEST]}..."


def shown(name: str) -> str:
    """Return a path in messages."""
    return printable(name) or "the folder"
