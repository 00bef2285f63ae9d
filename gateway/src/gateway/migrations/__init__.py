"""The gateway's alembic revisions."""

from typing import Final

HEAD: Final = "0002"
