"""Protect files to an ID, and restore protected ones, beside themselves, by the engine of `crossdock copy`."""
