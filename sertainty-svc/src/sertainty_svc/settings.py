"""Read this service's settings, each from one environment variable."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from mft_common.settings import choice, csv, from_env, setting, text
from sertainty_svc import SERVICE

HOST_KEY_FILE: Final = "SERTAINTY_HOST_KEY_FILE"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of sertainty-svc, beside the section `data_protector` of crossdock.yaml."""

    database_url: str = setting("SERTAINTY_DATABASE_URL", doc="where the agent's state is kept")
    internal_keys: tuple[str, ...] | None = setting("MFT_INTERNAL_KEYS", csv, None, secret=True)
    gateway_url: str | None = setting("MFT_GATEWAY_URL", text, None)
    filestore_url: str | None = setting("MFT_FILESTORE_URL", text, None, doc="base of filestore-svc")
    config: str | None = setting("MFT_CONFIG", text, None)
    data: str = setting("MFT_DATA", text, "data")
    transfer_id_prefix: str = setting("MFT_TRANSFER_ID_PREFIX", default="AMQ QM1", doc="first bytes of transfer ids")
    host_key_file: str | None = setting(HOST_KEY_FILE, text, None, doc="the file of this machine's key")
    log_level: str = setting("MFT_LOG_LEVEL", choice("debug", "info", "warning", "error"), "info")

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings; SettingsError names every variable that is wrong."""
        return from_env(cls, environ)

    @property
    def state(self) -> Path:
        """The folder of this service's own files."""
        return Path(self.data).absolute() / "state" / SERVICE
