"""Speaks the Data Protector Web API 3.4, and runs the agent behind it."""

SERVICE = "sertainty-svc"
PROTOCOL = "data-protector"
