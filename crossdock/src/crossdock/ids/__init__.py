"""Find, make, use and show IDs of Data Protector from the command line."""

from crossdock.ids.access import Access, fingerprints, opened, write

__all__ = ["Access", "fingerprints", "opened", "write"]
