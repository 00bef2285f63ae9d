"""Read the configuration and validate it as a whole before any part of it takes effect."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crossdock import demo as built_in
from mft_common import config
from mft_common.config import Reader
from mft_common.errors import ConfigError

DEFAULT = Path("crossdock.yaml")


def read(path: Path | None, environ: Mapping[str, str], *, demo: bool) -> tuple[dict[str, Any], Reader]:
    """Return the sections, and the reader that resolves their references.

    The demo has its own configuration unless a path is given; without either, `crossdock.yaml` of the current folder
    is taken where there is one, else an empty configuration.
    """
    from crossdock import sections

    data = Path(environ.get("MFT_DATA", "data")).absolute()
    if path is None and demo:
        document = config.parse(built_in.configuration(), "demo.yaml", sections.SECTIONS)
        return document, Reader(Path(), environ, demo=True, data=data)
    if path is None:
        path = DEFAULT
        if not path.exists():
            return {}, Reader(Path(), environ, data=data)
    path = path.absolute()
    return config.load(path, sections.SECTIONS), Reader(path.parent, environ, demo=demo, data=data)


def validate(document: Mapping[str, Any], reader: Reader, environ: Mapping[str, str]) -> None:
    """Raise one ConfigError with every problem of every section; nothing is opened or changed."""
    from crossdock import sections

    problems: list[str] = []
    for read_sections in sections.readers(environ):
        try:
            read_sections(document, reader)
        except ConfigError as error:
            problems += error.problems
    problems += reader.problems
    reader.problems.clear()
    if problems:
        raise ConfigError(sorted(set(problems)))
