"""Say which uploads a scanner looks at, where it is, and what holds when it gives no verdict."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal, Self
from urllib.parse import urlsplit

Method = Literal["REQMOD", "RESPMOD"]
Unscanned = Literal["refuse", "accept"]

_PORTS: Final = {"icap": 1344, "icaps": 11344}


@dataclass(frozen=True, kw_only=True)
class ScannerPlace:
    """A service of an ICAP server. `authority` is host and port as they were written, `uri` the service's name."""

    host: str
    port: int
    authority: str
    uri: str
    tls: bool

    @classmethod
    def of(cls, url: str) -> Self:
        """Read `icap://HOST[:PORT]/SERVICE` or `icaps://...`; ValueError for anything else."""
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
    """The setting `scan`. Sizes in bytes, times in seconds; `folders` None for all, else these and what is below."""

    place: ScannerPlace
    method: Method | None = None
    on_failure: Unscanned = "refuse"
    timeout: float = 30.0
    max_size: int | None = None
    on_large: Unscanned = "accept"
    folders: Collection[str] | None = None

    def covers(self, folder: str) -> bool:
        """True for a folder whose uploads are looked at."""
        return self.folders is None or any(folder == each or folder.startswith(f"{each}/") for each in self.folders)

    def leaves_out(self, size: int) -> bool:
        """True for a content that is too large to be looked at."""
        return self.max_size is not None and size > self.max_size
