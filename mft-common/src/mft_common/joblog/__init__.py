"""Keep the logs of pieces of work as rows, show them in frozen views, and delete them by age and count.

`JobLog` defines the tables and appends records, `Views` makes views and reads their buffers, `purging` deletes.
"""

from mft_common.joblog.log import JobLog, Record, create_tables, drop_tables
from mft_common.joblog.purging import Retention, purge, purge_task
from mft_common.joblog.views import Buffer, View, Views

__all__ = [
    "Buffer",
    "JobLog",
    "Record",
    "Retention",
    "View",
    "Views",
    "create_tables",
    "drop_tables",
    "purge",
    "purge_task",
]
