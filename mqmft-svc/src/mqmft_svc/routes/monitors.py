"""Serve the resource `monitor` (1.L)."""

from urllib.parse import quote

from flask import Blueprint, Response

from mqmft_svc.operations import Operations
from mqmft_svc.routes import http
from mqmft_svc.routes.http import BASE, MFT
from mqmft_svc.schemas import monitor_queries, queries


def add(pages: Blueprint, operations: Operations) -> None:
    """Add reading, creating and deleting."""
    settings, monitors = operations.settings, operations.monitors

    @pages.get(f"{BASE}{MFT}/monitor")
    def get_monitors(version: str) -> Response:  # noqa: ARG001 -- all versions answer alike
        operations.access.authorize_read(http.caller(), "monitor")
        query = monitor_queries.list_query(http.pairs(), settings)
        return http.json_response({"monitor": monitors.list_monitors(query)})

    @pages.get(f"{BASE}{MFT}/monitor/<name>")
    def get_monitor(version: str, name: str) -> Response:  # noqa: ARG001 -- all versions answer alike
        operations.access.authorize_read(http.caller(), "monitor")
        selection = monitor_queries.single_query(http.pairs(), settings)
        return http.json_response({"monitor": monitors.get_monitor(monitor_queries.name_of(name), selection)})

    @pages.post(f"{BASE}{MFT}/monitor")
    def post_monitor(version: str) -> Response:
        http.check_write(operations)
        queries.no_query(http.pairs(), settings)
        made = monitors.create(http.json_body(), http.caller())
        return http.empty_response({"Location": http.location(f"{version}{MFT}/monitor/{quote(made.name, '')}")}, 201)

    @pages.delete(f"{BASE}{MFT}/monitor/<name>")
    def delete_monitor(version: str, name: str) -> Response:  # noqa: ARG001 -- all versions answer alike
        http.check_write(operations)
        place = monitor_queries.place_query(http.pairs(), settings)
        monitors.delete(monitor_queries.name_of(name), place, http.caller())
        return http.empty_response({})

    @pages.delete(f"{BASE}{MFT}/monitor/<name>/history")
    def delete_monitor_history(version: str, name: str) -> Response:  # noqa: ARG001 -- all versions answer alike
        http.check_write(operations)
        place = monitor_queries.place_query(http.pairs(), settings)
        monitors.delete_history(monitor_queries.name_of(name), place, http.caller())
        return http.empty_response({})
