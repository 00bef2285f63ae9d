"""The whole hub on one machine, and the `crossdock` command."""

__version__ = "0.1.0"
