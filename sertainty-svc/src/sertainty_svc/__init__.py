"""Serve the Data Protector Web API 3.4, and run the agent behind it."""

SERVICE = "sertainty-svc"
PROTOCOL = "data-protector"
