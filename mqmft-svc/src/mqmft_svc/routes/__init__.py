"""Map URLs to operations, and exceptions to the vendor's answers."""

from flask import Blueprint

from mqmft_svc.operations import Operations
from mqmft_svc.routes import agents, hooks, login, monitors, transfers, unbuilt
from mqmft_svc.routes.rendering import error_renderer

__all__ = ["blueprint", "error_renderer"]


def blueprint(operations: Operations) -> Blueprint:
    """Return all resources; credentials are checked before anything else (22)."""
    pages = Blueprint("mft", __name__)
    for part in (hooks, transfers, agents, monitors, login, unbuilt):
        part.add(pages, operations)
    return pages
