"""The whole hub on one machine, and the `crossdock` command."""
