"""Serve the resource `agent` (1.K)."""

from flask import Blueprint, Response

from mqmft_svc.operations import Operations
from mqmft_svc.routes import http
from mqmft_svc.routes.http import BASE, MFT
from mqmft_svc.schemas import agent_queries


def add(pages: Blueprint, operations: Operations) -> None:
    """Add the list of agents, and one agent."""
    settings = operations.settings

    @pages.get(f"{BASE}{MFT}/agent")
    def get_agents(version: str) -> Response:  # noqa: ARG001 -- all versions answer alike
        operations.access.authorize_read(http.caller(), "agent")
        found = operations.agents.list_agents(agent_queries.list_query(http.pairs(), settings))
        return http.json_response({"agent": found})

    @pages.get(f"{BASE}{MFT}/agent/<path:name>")
    def get_agent(version: str, name: str) -> Response:  # noqa: ARG001 -- all versions answer alike
        operations.access.authorize_read(http.caller(), "agent")
        selection = agent_queries.single_query(http.pairs(), settings)
        return http.json_response({"agent": operations.agents.get_agent(agent_queries.agent_name(name), selection)})
