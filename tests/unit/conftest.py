"""Unit tests need nothing: no server, no network."""

import socket

import pytest


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Refuse every address of a network; pairs of sockets within the process stay."""

    def refuse(self, address):
        raise AssertionError(f"a unit test reached for {address}")

    for name in ("bind", "connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
