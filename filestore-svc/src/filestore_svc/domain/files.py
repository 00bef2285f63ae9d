"""Define stored files and folders, and their attributes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

from mft_common import clock

Right = Literal["list", "read", "write", "delete", "create"]
RIGHTS: Final[tuple[Right, ...]] = ("list", "read", "write", "delete", "create")

FIXED: Final = (
    "dstFileName",
    "size",
    "correlationId",
    "putDate",
    "firstReadDate",
    "lastModifiedTime",
    "lastAccessTime",
    "creationTime",
    "datatype",
    "description",
)
# The fixed attributes that a client may set, each with its column; the other seven belong to the system. (S23)
COLUMN_OF: Final = {
    "dstFileName": "dst_file_name",
    "correlationId": "correlation_id",
    "description": "description",
}
SETTABLE: Final = tuple(COLUMN_OF)
MOST_CUSTOM: Final = 64
DEFAULT_DATATYPE: Final = "application/octet-stream"
MOST_FILESET: Final = (1 << 53) - 1


@dataclass(frozen=True)
class Folder:
    """A folder with its own access list, None where it inherits its parent's."""

    id: int
    path: str
    access: Mapping[str, list[Right]] | None


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """One content of one file; times are milliseconds since the epoch, 0 where there is none."""

    fileset: int
    path: str
    name: str
    size: int
    sha256: str
    datatype: str = DEFAULT_DATATYPE
    owner: str = ""
    dst_file_name: str = ""
    correlation_id: str = ""
    description: str = ""
    created_at: int = 0
    modified_at: int = 0
    put_at: int = 0
    first_read_at: int = 0
    accessed_at: int = 0
    expires_at: int = 0
    custom: Mapping[str, str] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        """The strong entity tag, without its quotes."""
        return self.sha256

    @property
    def last_modified(self) -> datetime:
        """The date of `Last-Modified`, in whole seconds."""
        return datetime.fromtimestamp(self.modified_at // 1000, UTC)

    def described(self, given: Mapping[str, str]) -> "StoredFile":
        """Return the file with some fixed or custom attributes set; the others stay as they are."""
        fixed: dict[str, Any] = {COLUMN_OF[key]: value for key, value in given.items() if key in COLUMN_OF}
        custom = {key: value for key, value in given.items() if key not in COLUMN_OF}
        return replace(self, **fixed, custom={**self.custom, **custom})

    def attributes(self) -> dict[str, str]:
        """Return every attribute by its name as text, unset ones empty."""
        return {
            "dstFileName": self.dst_file_name,
            "size": str(self.size),
            "correlationId": self.correlation_id,
            "putDate": _shown(self.put_at),
            "firstReadDate": _shown(self.first_read_at),
            "lastModifiedTime": _shown(self.modified_at),
            "lastAccessTime": _shown(self.accessed_at),
            "creationTime": _shown(self.created_at),
            "datatype": self.datatype,
            "description": self.description,
            **self.custom,
        }


def _shown(at: int) -> str:
    return clock.iso(at) if at else ""


def rights_in(chain: list[Folder], account: str) -> frozenset[Right]:
    """Return the rights of `account` in the last folder of `chain`, which begins at the top.

    Only the nearest access list counts; without any list there are no rights.
    """
    for folder in reversed(chain):
        if folder.access is not None:
            return frozenset(folder.access.get(account, ()))
    return frozenset()


def event_fields(file: StoredFile) -> dict[str, Any]:
    """Return the fields that all events of a file have in common."""
    return {
        "path": file.path,
        "fileset": file.fileset,
        "size": file.size,
        "sha256": file.sha256,
        "datatype": file.datatype,
        "correlation_id": file.correlation_id or None,
    }
