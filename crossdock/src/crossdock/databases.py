"""Open the databases of a hub without migrating or configuring them."""

from pathlib import Path

import sqlalchemy as sa

from crossdock.errors import CannotStart
from mft_common.database import Database


def open_database(service: str, url: str) -> Database:
    """Return the database of a service; CannotStart where the hub has not made it yet."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").exists():
        # To open it would create it.
        raise CannotStart(f"there is no database of {service} at {parsed.database}: start the hub once")
    return Database(url, schema=service, metadata=sa.MetaData(), migrations="", head="")
