"""Keep the bytes of the hub, and speak the HTTP MFT REST API 2.0."""
