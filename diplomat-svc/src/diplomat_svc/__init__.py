"""Run transfer jobs, and speak the Diplomat MFT REST API 8.0."""

__version__ = "8.0.0"
