"""Make the secrets of a deployment of many containers, once."""

import os
import secrets
from pathlib import Path
from typing import Final

_POSTGRES: Final = "postgresql://crossdock:{password}@postgres:5432/crossdock"
_RABBITMQ: Final = "amqp://crossdock:{password}@rabbitmq:5672/%2F"


def ensure(folder: Path) -> None:
    """Write the missing files in `folder`: internal key, the passwords of two servers, and the URLs with them.

    The files are readable to every user of the containers that mount the folder: those run as different users.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _once(folder / "internal_keys", secrets.token_urlsafe(48))
    postgres = _once(folder / "postgres_password", secrets.token_urlsafe(32))
    rabbitmq = _once(folder / "rabbitmq_password", secrets.token_urlsafe(32))
    _once(folder / "database_url", _POSTGRES.format(password=postgres))
    _once(folder / "amqp_url", _RABBITMQ.format(password=rabbitmq))


def _once(path: Path, value: str) -> str:
    """Return the content of `path`; where the file is missing, write `value` to it first, whole or not at all."""
    if not path.exists():
        temporary = path.with_name(f".{path.name}.part")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o444), "w") as file:
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    return path.read_text(encoding="utf-8")
