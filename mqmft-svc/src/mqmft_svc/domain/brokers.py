"""Check the URLs of the message brokers of agents, and tell which agents have the same one (227)."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

from mqmft_svc.domain.agents import Agent

_SCHEMES: Final = ("amqp", "amqps")
_PORTS: Final = {"amqp": 5672, "amqps": 5671}


def is_broker(url: str) -> bool:
    """Return whether a URL names a message broker."""
    try:
        parts = urlsplit(url)
        return parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def sharing_brokers(agents: Mapping[str, Agent]) -> dict[str, str]:
    """Return the agents whose broker others have too, each with the one that stands for all of them.

    A broker is known by its host, its port and its virtual host; other names of the host are other brokers.
    """
    groups: dict[tuple[str, int, str], list[str]] = {}
    for name, agent in sorted(agents.items()):
        if agent.queues:
            groups.setdefault(_place(agent.queues), []).append(name)
    return {name: names[0] for names in groups.values() if len(names) > 1 for name in names}


def _place(url: str) -> tuple[str, int, str]:
    parts = urlsplit(url)
    # As pika reads it: the virtual host is the first step of the path.
    virtual_host = unquote(parts.path[1:].partition("/")[0]) or "/"
    return (parts.hostname or "").rstrip("."), parts.port or _PORTS[parts.scheme], virtual_host
