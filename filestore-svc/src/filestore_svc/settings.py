"""Hold the settings that come from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from mft_common import settings
from mft_common.errors import ConfigError
from mft_common.settings import setting

SERVICE = "filestore-svc"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The places of filestore-svc's data and the addresses of the services that it calls."""

    data: str = setting("MFT_DATA", default="data", doc="the data folder of the hub")
    database_url: str = setting(
        "FILESTORE_DATABASE_URL", default="", doc="SQLAlchemy URL; empty: SQLite below MFT_DATA"
    )
    bytes_url: str = setting(
        "FILESTORE_BYTES_URL", default="", doc="file:FOLDER or s3://BUCKET/PREFIX; empty: a folder below MFT_DATA"
    )
    s3_endpoint: str = setting("FILESTORE_S3_ENDPOINT", default="", doc="URL of an S3 server; empty: Amazon's")
    s3_key_id: str = setting("FILESTORE_S3_KEY_ID", default="", doc="access key; empty: what the machine itself has")
    s3_secret: str | None = setting("FILESTORE_S3_SECRET", default=None, secret=True, doc="its secret")
    config: str = setting("MFT_CONFIG", default="", doc="path of crossdock.yaml")
    amqp_url: str = setting("MFT_AMQP_URL", default="", doc="amqp:// URL of the broker; empty: the outbox tables")
    gateway_url: str = setting("MFT_GATEWAY_URL", default="", doc="base of the gateway's internal API")
    internal_keys: tuple[str, ...] = setting(
        "MFT_INTERNAL_KEYS",
        settings.csv,
        default=None,
        secret=True,
        doc="keys that sign identities, the last one signs",
    )
    transfer_id_prefix: str = setting("MFT_TRANSFER_ID_PREFIX", default="AMQ QM1")
    log_level: str = setting("MFT_LOG_LEVEL", settings.choice("debug", "info", "warning", "error"), default="info")

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the environment; SettingsError names everything that is missing or malformed."""
        return settings.from_env(cls, environ)

    @property
    def state(self) -> Path:
        """The folder for what only this service may touch."""
        return Path(self.data) / "state" / SERVICE

    @property
    def database(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{(self.state / 'filestore.db').absolute()}"

    @property
    def bytes_place(self) -> tuple[str, str]:
        """Return where the bytes are: `file` and a folder, or `s3` and BUCKET/PREFIX; ConfigError for anything else."""
        if not self.bytes_url:
            return "file", str(self.state)
        scheme, _, rest = self.bytes_url.partition(":")
        if scheme == "file" and rest:
            return scheme, rest.removeprefix("//") or "/"
        if scheme == "s3" and rest.removeprefix("//").strip("/"):
            return scheme, rest.removeprefix("//").strip("/")
        raise ConfigError([f"FILESTORE_BYTES_URL: is neither file:FOLDER nor s3://BUCKET/PREFIX, but begins {scheme}:"])
