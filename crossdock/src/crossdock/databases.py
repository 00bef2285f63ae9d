"""Open the databases of a hub without migrating or configuring them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from crossdock import environment
from crossdock.errors import CannotStart
from mft_common.database import Database
from mft_common.settings import lookup


def open_database(service: str, url: str) -> Database:
    """Return the database of a service; CannotStart where the hub has not made it yet."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").exists():
        # To open it would create it.
        raise CannotStart(f"there is no database of {service} at {parsed.database}: start the hub once")
    return Database(url, schema=service, metadata=sa.MetaData(), migrations="", head="")


@contextmanager
def opened(service: str, variable: str, data: Path, environ: Mapping[str, str]) -> Iterator[Database]:
    """Open the database of a service of the hub on a data folder, or the one that `variable` names; CannotStart."""
    if not lookup(variable, environ) and not (data / "state").is_dir():
        raise CannotStart(f"there is no hub's data in {data}: name the folder with --data")
    database = open_database(service, environment.database_urls(data, environ)[variable])
    try:
        yield database
    finally:
        database.close()
