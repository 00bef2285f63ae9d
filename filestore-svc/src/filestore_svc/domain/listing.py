"""Define the queries and the results of listings."""

from dataclasses import dataclass
from typing import Final, Literal

from filestore_svc.domain.files import FIXED, StoredFile
from filestore_svc.domain.wildcards import Pattern

Sort = Literal["name", "size", "put_date", "read_date", "expiry_date"]
Kind = Literal["all", "folders", "files"]
SORTS: Final[tuple[Sort, ...]] = ("name", "size", "put_date", "read_date", "expiry_date")
KINDS: Final[tuple[Kind, ...]] = ("all", "folders", "files")
DEFAULT_LIMIT: Final = 500
LARGEST_LIMIT: Final = 10_000
LARGEST_FOLDER_PAGE: Final = 1_000


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Selects direct children of a folder by kind and name."""

    kind: Kind = "all"
    pattern: Pattern | None = None


@dataclass(frozen=True, kw_only=True)
class Page:
    """Selects a page of children, its order and the attributes to show."""

    selection: Selection = Selection()
    sort: Sort = "name"
    descending: bool = True
    start: int = 0
    limit: int = DEFAULT_LIMIT
    attributes: tuple[str, ...] = FIXED


@dataclass(frozen=True)
class FolderPage:
    """Which files of a folder another service asks for: by name, after the name `after`, at most `limit`."""

    pattern: Pattern | None = None
    after: str = ""
    limit: int = LARGEST_FOLDER_PAGE


@dataclass(frozen=True)
class Child:
    """A direct child of a folder: a file, or a folder when `file` is None."""

    name: str
    file: StoredFile | None = None


@dataclass(frozen=True)
class Listing:
    """A page of children; `total` counts all that the selection matches."""

    path: str
    total: int
    children: tuple[Child, ...]
