"""Watch folders: one scan a folder for all that look at it, files that have settled, each appearance handled once."""

from mft_common.watching.contract import TEMPORARY, Found, Later, Listing, Watch
from mft_common.watching.deliveries import Deliveries, place_digest
from mft_common.watching.listings import EndpointListing, LocalListing
from mft_common.watching.memory import Memory, Superseded
from mft_common.watching.memory_tables import create_tables, drop_tables
from mft_common.watching.watcher import Watcher, watcher_task

__all__ = [
    "TEMPORARY",
    "Deliveries",
    "EndpointListing",
    "Found",
    "Later",
    "Listing",
    "LocalListing",
    "Memory",
    "Superseded",
    "Watch",
    "Watcher",
    "create_tables",
    "drop_tables",
    "place_digest",
    "watcher_task",
]
