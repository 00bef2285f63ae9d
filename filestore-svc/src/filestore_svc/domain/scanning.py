"""Define the address of a virus scanner, the uploads that it scans, and what holds without its verdict."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal, Self
from urllib.parse import urlsplit

Method = Literal["REQMOD", "RESPMOD"]
Unscanned = Literal["refuse", "accept"]

_PORTS: Final = {"icap": 1344, "icaps": 11344}


@dataclass(frozen=True, kw_only=True)
class ScannerPlace:
    """A service of an ICAP server. `authority` is host and port as configured, `uri` the whole URL."""

    host: str
    port: int
    authority: str
    uri: str
    tls: bool

    @classmethod
    def of(cls, url: str) -> Self:
        """Parse `icap://HOST[:PORT]/SERVICE` or `icaps://...`; ValueError for anything else."""
        parts = urlsplit(url)
        usable = parts.scheme in _PORTS and parts.hostname and not parts.fragment and "@" not in parts.netloc
        if not usable or not parts.path.strip("/") or not url.isascii() or not url.isprintable() or " " in url:
            raise ValueError("is no URL such as icap://127.0.0.1:1344/avscan")
        return cls(
            host=parts.hostname or "",
            port=parts.port or _PORTS[parts.scheme],
            authority=parts.netloc,
            uri=url,
            tls=parts.scheme == "icaps",
        )


@dataclass(frozen=True, kw_only=True)
class Scan:
    """The setting `scan`. Sizes in bytes, times in seconds; `folders` with all below them, None for every folder."""

    place: ScannerPlace
    method: Method | None = None
    on_failure: Unscanned = "refuse"
    timeout: float = 30.0
    max_size: int | None = None
    on_large: Unscanned = "accept"
    folders: Collection[str] | None = None

    def covers(self, folder: str) -> bool:
        """Return whether uploads into a folder are scanned."""
        return self.folders is None or any(folder == each or folder.startswith(f"{each}/") for each in self.folders)

    def leaves_out(self, size: int) -> bool:
        """Return whether a content is too large to be scanned."""
        return self.max_size is not None and size > self.max_size
