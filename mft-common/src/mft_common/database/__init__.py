"""Read and write a service's database: engine, compiled statements, read pool, write connection."""

from mft_common.database.engine import Database, advisory_lock

__all__ = ["Database", "advisory_lock"]
