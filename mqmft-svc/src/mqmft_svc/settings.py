"""Read this service's settings, each from one environment variable."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from mft_common.exchanges import AllowedHosts
from mft_common.settings import SettingsError, boolean, choice, csv, from_env, integer, setting, text
from mqmft_svc import SERVICE

_DAY_MS: Final = 86_400_000
_OPEN: Final = (
    "MQMFT_SECURITY=off lets everybody in: it needs GATEWAY_LOOPBACK_ONLY=1, by which you say that only this machine "
    "reaches the hub, or MFT_DEMO=1"
)


def _at_least(least: int) -> Callable[[str], int]:
    def parse(raw: str) -> int:
        number = integer(raw)
        if number < least:
            raise ValueError(f"is less than {least}")
        return number

    return parse


def _hosts(raw: str) -> tuple[str, ...]:
    texts = csv(raw)
    AllowedHosts.of(texts)
    return texts


def _broker(raw: str) -> str | None:
    if raw and not raw.startswith(("amqp://", "amqps://")):
        raise ValueError("is no amqp: or amqps: URL")
    return raw or None


def _named(raw: str) -> str:
    # An AMQP queue's name has at most 255 bytes, and its dead-letter queue's is longer by five.
    if not 1 <= len(raw.encode()) <= 250:
        raise ValueError("is no name of 1 to 250 bytes")
    return raw


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of mqmft-svc.

    `coordination_qmgr` is None where nothing is set, and then crossdock.yaml names it; empty, it switches the
    resource off (128). `loopback_only` says that only this machine reaches the hub, as it does to the gateway, and
    `demo` that it is the demonstration, whose port is published on loopback alone: one of them is needed to switch
    `security` off.
    """

    data: str = setting("MFT_DATA", default="data", doc="the data folder of the hub")
    database_url: str = setting("MQMFT_DATABASE_URL", doc="where the record of transfers is kept")
    internal_keys: tuple[str, ...] | None = setting("MFT_INTERNAL_KEYS", csv, None, secret=True)
    gateway_url: str | None = setting("MFT_GATEWAY_URL", text, None)
    filestore_url: str | None = setting("MFT_FILESTORE_URL", text, None, doc="base of filestore-svc")
    config: str | None = setting("MFT_CONFIG", text, None)
    transfer_id_prefix: str = setting("MFT_TRANSFER_ID_PREFIX", default="AMQ QM1", doc="first bytes of transfer ids")
    demo: bool = setting("MFT_DEMO", boolean, default=False)
    loopback_only: bool = setting("GATEWAY_LOOPBACK_ONLY", boolean, default=False, doc="only this machine reaches it")
    log_level: str = setting("MFT_LOG_LEVEL", choice("debug", "info", "warning", "error"), "info")

    enabled: bool = setting("MQMFT_ENABLED", boolean, default=True)
    coordination_qmgr: str | None = setting("MQMFT_COORDINATION_QMGR", text, None)
    security: bool = setting("MQMFT_SECURITY", boolean, default=True)
    security_off_user: str = setting("MQMFT_SECURITY_OFF_USER", text, "anonymous")
    list_attributes: str = setting("MQMFT_LIST_ATTRIBUTES", choice("by-version", "strict", "lenient"), "by-version")
    unknown_parameters: str = setting("MQMFT_UNKNOWN_PARAMETERS", choice("reject", "ignore"), "reject")
    csrf_status: str = setting("MQMFT_CSRF_STATUS", choice("401", "403"), "401")
    limit_default: int = setting("MQMFT_LIMIT_DEFAULT", _at_least(1), 100)
    limit_max: int = setting("MQMFT_LIMIT_MAX", _at_least(1), 10_000)
    cache_reset_on_start: bool = setting("MQMFT_CACHE_RESET_ON_START", boolean, default=False)
    started_at: int | None = setting("MQMFT_STARTED_AT", _at_least(0), None, doc="when the hub has started, in ms")
    keep_days: int = setting("MQMFT_KEEP_DAYS", _at_least(0), 0)
    max_items: int = setting("MQMFT_MAX_ITEMS", _at_least(1), 10_000)
    max_monitors: int = setting("MQMFT_MAX_MONITORS", _at_least(0), 1000, doc="monitors that requests may create")
    max_schedules: int = setting("MQMFT_MAX_SCHEDULES", _at_least(0), 10_000, doc="schedules that are not over")
    ack_timeout_ms: int = setting("MQMFT_ACK_TIMEOUT_MS", _at_least(1), 60_000, doc="silence of an endpoint, each time")
    ack_retries: int = setting("MQMFT_ACK_RETRIES", _at_least(1), 5, doc="so many silences begin recovery")
    call_hosts: tuple[str, ...] = setting("MQMFT_CALL_HOSTS", _hosts, (), doc="hosts that calls may reach")
    extensions: bool = setting("MQMFT_EXTENSIONS", boolean, default=True, doc="requests that are not IBM's")
    token_cookie: str = setting("MQMFT_TOKEN_COOKIE", text, "LtpaToken2")
    token_minutes: int = setting("MQMFT_TOKEN_MINUTES", _at_least(1), 120)
    cors_origins: tuple[str, ...] = setting("MQMFT_CORS_ORIGINS", csv, ())
    transferlog_url: str | None = setting("MQMFT_TRANSFERLOG_URL", _broker, None, secret=True)
    transferlog_queue: str = setting("MQMFT_TRANSFERLOG_QUEUE", _named, "SYSTEM.FTE.LOG")
    transferlog_name: str = setting("MQMFT_TRANSFERLOG_NAME", _named, "mq")

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings; SettingsError names every variable that is wrong."""
        return from_env(cls, environ)

    def require_security(self) -> None:
        """Raise SettingsError where a network may reach a hub without security, which is not started then (24)."""
        if not self.security and not self.loopback_only and not self.demo:
            raise SettingsError([_OPEN])

    def kept_since(self, now: int) -> int | None:
        """Return the time (ms) before which ended work is forgotten, None where it is kept for ever (200)."""
        return None if self.keep_days == 0 else now - self.keep_days * _DAY_MS

    @property
    def state(self) -> Path:
        """The folder of this service's own files."""
        return Path(self.data).absolute() / "state" / SERVICE
