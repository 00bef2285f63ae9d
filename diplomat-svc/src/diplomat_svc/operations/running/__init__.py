"""Run one job in a child: find its files, change them on their way, deliver them, delete their sources (E30, E32)."""

from diplomat_svc.operations.running.run import Run

__all__ = ["Run"]
