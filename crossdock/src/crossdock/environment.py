"""Say what the services' settings are on one machine; whatever the real environment sets wins."""

import ipaddress
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

DATABASES: Final = {
    "GATEWAY": "gateway",
    "FILESTORE": "filestore-svc",
    "DIPLOMAT": "diplomat-svc",
    "MQMFT": "mqmft-svc",
    "SERTAINTY": "sertainty-svc",
}


def is_loopback(host: str) -> bool:
    """True when nothing but this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def of_one_machine(data: Path, environ: Mapping[str, str], *, host: str, demo: bool) -> dict[str, str]:
    """Return the environment that each service's settings are read from.

    Databases, keys and blobs live below `data/state/<service>/`. The key that identities are signed with is made at
    the first start.
    """
    state = data / "state"
    made = {
        "MFT_DATA": str(data),
        "MFT_DEMO": "1" if demo else "0",
        "MFT_INTERNAL_KEYS": _internal_key(state / "gateway" / "internal.key", environ),
        "GATEWAY_LOOPBACK_ONLY": "1" if is_loopback(host) else "0",
    }
    for prefix, service in DATABASES.items():
        made[f"{prefix}_DATABASE_URL"] = f"sqlite:///{state / service / (service.removesuffix('-svc') + '.db')}"
    return {**made, **environ, "MFT_DEMO": made["MFT_DEMO"]}


def _internal_key(path: Path, environ: Mapping[str, str]) -> str:
    if given := environ.get("MFT_INTERNAL_KEYS"):
        return given
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
    return path.read_text(encoding="utf-8").strip()
