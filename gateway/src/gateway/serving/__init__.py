"""Serve HTTP/1.1 under gunicorn without giving a thread to a client that is still talking."""
