"""Validate configuration, query parameters, attributes, bodies and events, and build the documents of answers."""
