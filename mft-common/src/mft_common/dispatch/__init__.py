"""Let the workers of a service take queued pieces of work, run each in a child, and end them cleanly.

`contract` names what a service says about its work; `dispatcher` is the loop of one worker; `child` runs one attempt;
`sweeper` removes what pieces of work have left.
"""

from mft_common.dispatch.child import ChildProcess, Runner, until_written
from mft_common.dispatch.contract import Begin, Limits, Process, StopRequest, Work
from mft_common.dispatch.dispatcher import Dispatcher
from mft_common.dispatch.sweeper import RemovalOrder, Removals, Sweeper

__all__ = [
    "Begin",
    "ChildProcess",
    "Dispatcher",
    "Limits",
    "Process",
    "RemovalOrder",
    "Removals",
    "Runner",
    "StopRequest",
    "Sweeper",
    "Work",
    "until_written",
]
