"""Read the path of a request from the raw bytes of its URL, and the body of a form."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

from filestore_svc.domain.paths import Target, below
from filestore_svc.errors import NoFilename, NoFileset, TooLarge
from filestore_svc.wire import bodies, queries
from mft_common import environ_keys

_LARGEST_FORM: Final = 64 << 10


def raw_path(environ: Mapping[str, Any]) -> bytes:
    """Return the path as it stood in the request line, percent-encoded, without the query.

    Frameworks decode paths with replacement characters, so that two names would become one. Without a server that
    keeps the request line, the decoded bytes of PATH_INFO are encoded again. (S6)
    """
    raw = environ.get(environ_keys.RAW_PATH) or environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if raw is None:
        return quote(environ.get("PATH_INFO", "").encode("latin-1")).encode()
    line: bytes = raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogateescape")
    path = line.partition(b"?")[0]
    if not path.startswith(b"/") and b"://" in path:
        path = b"/" + path.partition(b"://")[2].partition(b"/")[2]
    return path


def target(environ: Mapping[str, Any], prefix: str) -> Target:
    """Return the path below `prefix`."""
    return below(raw_path(environ), prefix.encode())


def fileset(environ: Mapping[str, Any], prefix: str) -> str:
    """Return the text of a fileset's id below `prefix`, decoded; empty for none (35, D22)."""
    rest = unquote_to_bytes(raw_path(environ))[len(prefix) :]
    return rest.removeprefix(b"/").decode("utf-8", "replace")


def check_file(target: Target) -> None:
    """Raise NoFilename where the URL alone shows that no file is named (7, 46)."""
    if target.only_folder:
        raise NoFilename


def check_fileset(fileset: str) -> None:
    """Raise NoFileset where the URL names no id (61)."""
    if not fileset:
        raise NoFileset


def form(environ: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields of an urlencoded form; none for another type of body or an incomplete one."""
    try:
        body = bodies.read_limited(environ, _LARGEST_FORM, TooLarge())
    except bodies.IncompleteBody:
        return {}
    return queries.form(body, environ.get("CONTENT_TYPE", ""))
