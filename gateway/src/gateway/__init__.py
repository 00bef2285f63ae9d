"""The one public door of the hub: it routes by path, and it owns accounts and sessions."""
