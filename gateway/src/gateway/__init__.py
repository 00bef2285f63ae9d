"""The only public entrance of the hub: it routes by path, and it owns accounts and sessions."""
