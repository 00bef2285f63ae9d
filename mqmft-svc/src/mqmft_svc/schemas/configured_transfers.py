"""Read the named transfers of crossdock.yaml, each the body of a `POST transfer` (1.J) with a `name`."""

from collections.abc import Mapping, Sequence
from typing import Any

from mqmft_svc.errors import BodyInvalid
from mqmft_svc.schemas.submissions import submission

Bodies = Mapping[str, Mapping[str, Any]]


def read_transfers(
    entries: Sequence[Mapping[str, Any]], agents: Mapping[str, Mapping[str, Any]], problems: list[str], path: str
) -> Bodies:
    """Return the bodies by their names; every problem is added to `problems` with its path.

    A start that has passed is none: it counts when the transfer is submitted.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for place, entry in enumerate(entries):
        here, name = f"{path}[{place}]", entry.get("name")
        if not isinstance(name, str) or not name:
            problems.append(f"{here}.name: it must be a text that is not empty")
        elif name in found:
            problems.append(f"{here}.name: there is a transfer {name!r} already")
        else:
            found[name] = body_of(entry)
            problems += [f"{here}.{problem}" for problem in _problems(found[name], agents)]
    return found


def body_of(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the body of a named transfer."""
    return {attribute: value for attribute, value in entry.items() if attribute != "name"}


def _problems(body: Mapping[str, Any], agents: Mapping[str, Mapping[str, Any]]) -> list[str]:
    try:
        wanted = submission(body)
    except BodyInvalid as error:
        return [f"{error.words['name']}: {error.words['reason']}"]
    found = []
    for side, agent in (("sourceAgent", wanted.source_agent), ("destinationAgent", wanted.destination_agent)):
        declared = agents.get(agent.name)
        if declared is None:
            found.append(f"{side}.name: there is no agent {agent.name}")
        elif str(declared["qmgr"]).upper() != agent.qmgr:
            found.append(f"{side}.qmgrName: the queue manager of the agent {agent.name} is {declared['qmgr']}")
    return found
