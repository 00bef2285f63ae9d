"""Describe the receivers of notifications; hosts come from here alone, never from a row or a request."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urlsplit

_SMTP_PORTS: Final = {"smtp": 587, "smtps": 465}


def is_loopback(host: str) -> bool:
    """Return whether a host's name or address is that of this machine's loopback."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """An HTTPS URL and the secret that signs what is sent to it.

    The URL is not shown: those of many receivers hold a token. `ca` is the path of a PEM file with the only authorities
    that are trusted; "" for those of the system. ValueError for a URL without TLS, but on loopback.
    """

    url: str = field(repr=False)
    secret: str = field(repr=False)
    ca: str = ""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"https", "http"} or not parts.hostname or parts.username is not None:
            raise ValueError("a webhook is an https: URL without a user")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError("a webhook without TLS may be on this machine alone: use https:")
        if not self.secret:
            raise ValueError("a webhook has a secret that signs it")


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail server and the sender's address.

    `tls` is `starttls`, `implicit`, or `none`, which is allowed on loopback alone. `ca` is as in Webhook.
    """

    host: str
    port: int
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)
    tls: str = "starttls"
    ca: str = ""

    @classmethod
    def of_url(cls, url: str, *, sender: str, user: str = "", password: str = "", ca: str = "") -> Self:
        """Read `smtp://HOST[:587]` (STARTTLS) or `smtps://HOST[:465]` (TLS from the first byte); ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in _SMTP_PORTS or not parts.hostname or parts.username is not None or parts.path.strip("/"):
            raise ValueError("a mail server is smtp://HOST:PORT or smtps://HOST:PORT")
        if "@" not in sender or any(character.isspace() for character in sender):
            raise ValueError("the sender is a mail address")
        tls = "implicit" if parts.scheme == "smtps" else "starttls"
        port = parts.port or _SMTP_PORTS[parts.scheme]
        return cls(
            host=parts.hostname, port=port, sender=sender, user=user or sender if password else user,
            password=password, tls=tls, ca=ca,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Channels:
    """The configured receivers: webhooks by the names under which rows refer to them, and the mail server, if any."""

    webhooks: Mapping[str, Webhook] = field(default_factory=dict)
    mail: Mail | None = None
