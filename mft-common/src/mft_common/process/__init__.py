"""Run a process of the hub: background tasks, health, metrics, memory, and gunicorn's settings."""
