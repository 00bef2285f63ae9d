"""Name unfinished uploads, so that a sweep aborts these and no others."""

from typing import Final

_BETWEEN: Final = "?uploadId="


def name_of(path: str, upload: str) -> str:
    """Return the name of the upload `upload` of the object `path`."""
    return f"{path}{_BETWEEN}{upload}"


def read_name(name: str) -> tuple[str, str]:
    """Return path and id of an upload's name, two empty texts for what is none."""
    path, between, upload = name.rpartition(_BETWEEN)
    return (path, upload) if between else ("", "")
