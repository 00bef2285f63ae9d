"""The alembic revisions of diplomat-svc."""

from typing import Final

HEAD: Final = "0016"
