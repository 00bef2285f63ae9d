"""Schedule, show, watch and stop the jobs of a hub from the command line.

`Access` reads and writes diplomat-svc's database, `printing` shows what it returns, `watching` follows
a job to its end.
"""

from crossdock.jobs.access import Access, opened

__all__ = ["Access", "opened"]
