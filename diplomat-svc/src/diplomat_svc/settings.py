"""Read this service's settings, each from one environment variable."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from mft_common import settings
from mft_common.settings import choice, csv, setting

SERVICE: Final = "diplomat-svc"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of diplomat-svc."""

    data: str = setting("MFT_DATA", default="data", doc="the data folder of the hub")
    database_url: str = setting("DIPLOMAT_DATABASE_URL", default="", doc="SQLAlchemy URL; empty: SQLite below MFT_DATA")
    config: str | None = setting("MFT_CONFIG", default=None, doc="path of crossdock.yaml")
    gateway_url: str | None = setting("MFT_GATEWAY_URL", default=None, doc="base of the gateway's internal API")
    filestore_url: str | None = setting("MFT_FILESTORE_URL", default=None, doc="base of filestore-svc")
    internal_keys: tuple[str, ...] | None = setting(
        "MFT_INTERNAL_KEYS", csv, None, secret=True, doc="comma-separated keys that sign identities, newest last"
    )
    transfer_id_prefix: str = setting("MFT_TRANSFER_ID_PREFIX", default="AMQ QM1", doc="first bytes of transfer ids")
    log_level: str = setting("MFT_LOG_LEVEL", choice("debug", "info", "warning", "error"), "info")

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the environment; SettingsError names every problem at once."""
        return settings.from_env(cls, environ)

    @property
    def state(self) -> Path:
        """The folder of this service's own files."""
        return Path(self.data).absolute() / "state" / SERVICE

    @property
    def database(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{self.state / 'diplomat.db'}"
