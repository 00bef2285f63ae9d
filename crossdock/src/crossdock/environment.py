"""Make the environment from which the services of one machine read their settings; the real one wins."""

import ipaddress
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mft_common import settings
from mft_common.clock import now_ms

DATABASES: Final = {
    "GATEWAY": "gateway",
    "FILESTORE": "filestore-svc",
    "DIPLOMAT": "diplomat-svc",
    "MQMFT": "mqmft-svc",
    "SERTAINTY": "sertainty-svc",
}

_INTERNAL_KEY: Final = "state/gateway/internal.key"


def is_loopback(host: str) -> bool:
    """Return whether `host` can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def database_urls(data: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the URL of each database by its variable: from the environment, else of a file below `data/state`."""
    urls = {}
    for prefix, service in DATABASES.items():
        name = f"{prefix}_DATABASE_URL"
        path = data / "state" / service / f"{service.removesuffix('-svc')}.db"
        urls[name] = settings.lookup(name, environ) or f"sqlite:///{path}"
    return urls


def filestore_socket(data: Path) -> Path:
    """Return the path of the socket on which jobs reach filestore-svc's internal service."""
    return data.absolute() / "state/filestore-svc/internal.sock"


def of_one_machine(data: Path, environ: Mapping[str, str], *, host: str, demo: bool) -> dict[str, str]:
    """Return the environment that each service's settings are read from.

    Databases, keys and blobs live below `data/state/<service>/`. The key that identities are signed with is made at
    the first start.
    """
    key = settings.lookup("MFT_INTERNAL_KEYS", environ) or _make_internal_key(data / _INTERNAL_KEY)
    return {
        "GATEWAY_LOOPBACK_ONLY": "1" if is_loopback(host) else "0",
        **environ,
        "MFT_FILESTORE_URL": f"unix:{filestore_socket(data)}",
        **database_urls(data, environ),
        "MFT_INTERNAL_KEYS": key,
        "MFT_DATA": str(data),
        "MFT_DEMO": "1" if demo else "0",
        # All processes of this start have one moment, also those that are replaced later.
        "MQMFT_STARTED_AT": str(now_ms()),
    }


def internal_key(data: Path) -> str:
    """Return the key that a hub on this data folder signs identities with, "" where none has started yet."""
    path = data / _INTERNAL_KEY
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""


def of_a_check(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a hub that `crossdock up` without options would start, for `crossdock check`."""
    urls = {f"{prefix}_DATABASE_URL": "sqlite:///never-opened.db" for prefix in DATABASES}
    return {**urls, "MFT_INTERNAL_KEYS": "never used", "GATEWAY_LOOPBACK_ONLY": "1", **environ}


def _make_internal_key(path: Path) -> str:
    # A file without a key is what a power cut left of one that was not written to its end.
    if not path.exists() or not path.read_text(encoding="utf-8").strip():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.part")
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    return path.read_text(encoding="utf-8").strip()
