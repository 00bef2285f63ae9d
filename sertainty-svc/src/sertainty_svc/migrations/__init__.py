"""Revisions of this service's tables."""

HEAD = "0004"
