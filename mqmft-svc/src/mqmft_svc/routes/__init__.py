"""Map URLs to operations, and exceptions to the vendor's answers."""

from flask import Blueprint

from mqmft_svc.operations import Operations
from mqmft_svc.routes import agents, calls, hooks, login, monitors, transfers
from mqmft_svc.routes.rendering import error_renderer

__all__ = ["blueprint", "error_renderer"]


def blueprint(operations: Operations) -> Blueprint:
    """Return all resources; credentials are checked before anything else (22)."""
    pages = Blueprint("mft", __name__)
    for part in (hooks, transfers, calls, agents, monitors, login):
        part.add(pages, operations)
    return pages
