"""Reach single files over HTTP and HTTPS: GET with ranges, HEAD, and PUT."""

from mft_common.endpoints.http.endpoint import HttpEndpoint, open_http

__all__ = ["HttpEndpoint", "open_http"]
