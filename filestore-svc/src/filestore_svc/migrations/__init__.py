"""Bring the tables of filestore-svc from one version to the next."""

HEAD = "0004"
