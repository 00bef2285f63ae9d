"""Copy files between any two endpoints from the command line."""

from crossdock.copying.command import Request
from crossdock.copying.report import EXIT_CODES

__all__ = ["EXIT_CODES", "Request"]
