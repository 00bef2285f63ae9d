"""Check the URL of an agent's message broker (227)."""

from typing import Final
from urllib.parse import urlsplit

_SCHEMES: Final = ("amqp", "amqps")


def is_broker(url: str) -> bool:
    """Return whether a URL names a message broker."""
    try:
        parts = urlsplit(url)
        return parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
