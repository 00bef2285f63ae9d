"""Read and write a service's database: engine, compiled statements, read pool, write connection."""

from mft_common.database.engine import Database
from mft_common.database.locks import advisory_lock, locks_within

__all__ = ["Database", "advisory_lock", "locks_within"]
