"""The gateway's settings, read from the environment."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from mft_common.addresses import Network
from mft_common.settings import boolean, choice, csv, duration, from_env, integer, setting, size, text


def networks(raw: str) -> tuple[Network, ...]:
    """Read a comma-separated list of addresses and networks."""
    try:
        return tuple(ipaddress.ip_network(part) for part in csv(raw))
    except ValueError as error:
        raise ValueError(f"is no list of networks: {error}") from error


def base_url(raw: str) -> str:
    """Read an http or https URL and leave out its last slash."""
    if not raw.startswith(("http://", "https://")):
        raise ValueError("is no http or https URL")
    return raw.rstrip("/")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of the gateway; durations are seconds.

    `internal_port` is the port of the internal API, which the public must not reach; without it this process has none.
    `loopback_only` says that only this machine reaches the hub, and `demo` that it is the demonstration, whose port is
    published on loopback alone: both let accounts be trusted without naming networks.
    """

    database_url: str = setting("GATEWAY_DATABASE_URL", doc="a sqlite: or postgresql: URL")
    internal_keys: tuple[str, ...] = setting("MFT_INTERNAL_KEYS", csv, secret=True, doc="comma-separated, newest last")
    internal_port: int | None = setting("GATEWAY_INTERNAL_PORT", integer, None, doc="port of the internal API")
    config: str | None = setting("MFT_CONFIG", default=None, doc="path of crossdock.yaml")
    demo: bool = setting("MFT_DEMO", boolean, default=False, doc="this hub is the demonstration")
    loopback_only: bool = setting("GATEWAY_LOOPBACK_ONLY", boolean, default=False, doc="only this machine reaches it")
    log_level: str = setting("MFT_LOG_LEVEL", choice("debug", "info", "warning", "error"), "info")
    amqp_url: str | None = setting("MFT_AMQP_URL", default=None, secret=True, doc="RabbitMQ, for the worker")
    public_url: str = setting("MFT_PUBLIC_URL", base_url, "", doc="base of absolute URLs, else the request's own")
    trusted_proxies: tuple[Network, ...] = setting(
        "MFT_TRUSTED_PROXIES", networks, (), doc="networks whose X-Forwarded-* and X-Request-ID count"
    )
    request_rate: int = setting("GATEWAY_REQUEST_RATE", integer, 500, doc="requests a second from one address")
    request_burst: int = setting("GATEWAY_REQUEST_BURST", integer, 1000, doc="requests at once from one address")
    token_cookie: str = setting("MQMFT_TOKEN_COOKIE", text, "LtpaToken2", doc="the cookie of the IBM MQ login")
    upstream_filestore: str | None = setting("GATEWAY_UPSTREAM_FILESTORE", default=None, doc="URL of filestore-svc")
    upstream_diplomat: str | None = setting("GATEWAY_UPSTREAM_DIPLOMAT", default=None, doc="URL of diplomat-svc")
    upstream_mqmft: str | None = setting("GATEWAY_UPSTREAM_MQMFT", default=None, doc="URL of mqmft-svc")
    upstream_sertainty: str | None = setting("GATEWAY_UPSTREAM_SERTAINTY", default=None, doc="URL of sertainty-svc")
    hash_slots: int | None = setting("GATEWAY_HASH_SLOTS", integer, None, doc="passwords checked at once, per process")
    hash_wait: float = setting("GATEWAY_HASH_WAIT", duration, 10.0, doc="how long a login waits for a slot")
    unknown_users: Literal["challenge", "deny"] | None = setting(
        "GATEWAY_UNKNOWN_USERS", choice("challenge", "deny"), None, doc="wins over data_protector.unknown_users"
    )
    prompt_failures: int | None = setting(
        "GATEWAY_PROMPT_FAILURES", integer, None, doc="wins over data_protector.failures"
    )
    upload_limit: int | None = setting("GATEWAY_UPLOAD_LIMIT", size, None, doc="largest body of an HTTP MFT request")
    sweep_every: float = setting("GATEWAY_SWEEP_EVERY", duration, 5.0, doc="how often expired sessions are closed")

    @property
    def upstreams(self) -> Mapping[str, str]:
        """The services behind a network, as URLs by their names."""
        named = {
            "filestore-svc": self.upstream_filestore,
            "diplomat-svc": self.upstream_diplomat,
            "mqmft-svc": self.upstream_mqmft,
            "sertainty-svc": self.upstream_sertainty,
        }
        return {service: url for service, url in named.items() if url}

    @property
    def fixed_prompt_rules(self) -> Mapping[str, Any]:
        """The rules for prompts that the environment sets, which win over the configuration's."""
        rules = {"unknown_users": self.unknown_users, "failures": self.prompt_failures}
        return {name: value for name, value in rules.items() if value is not None}

    @property
    def trust(self) -> Literal["networks", "loopback", "any"]:
        """From where trusted accounts need no prompts; see `gateway.domain.Trust`."""
        if self.demo:
            return "any"
        return "loopback" if self.loopback_only else "networks"

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the environment; SettingsError names every problem at once."""
        return from_env(cls, environ)
