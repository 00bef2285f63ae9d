"""The record of transfers of a hub from the command line.

`Access` reads and writes mqmft-svc's database, `requests` makes the body of a request, `printing` shows transfers,
`scheduled` schedules, `watching` follows one to its end.
"""

from crossdock.transfers.access import Access, opened

__all__ = ["Access", "opened"]
