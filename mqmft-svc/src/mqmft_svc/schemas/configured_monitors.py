"""Read the monitors of crossdock.yaml, each the body of a `POST monitor` (1.L)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mqmft_svc.domain.monitors import Monitor
from mqmft_svc.domain.variables import names_in
from mqmft_svc.errors import BodyInvalid, MonitorNameInvalid
from mqmft_svc.schemas.monitor_bodies import read_monitor

# The account of what nobody asked for by name.
ACCOUNT: Final = "system"


def read_monitors(
    entries: Sequence[Mapping[str, Any]], agents: Mapping[str, Mapping[str, Any]], problems: list[str], path: str
) -> tuple[Monitor, ...]:
    """Return the monitors of a configuration with these agents; every problem is added to `problems` with its path."""
    found: dict[tuple[str, str], Monitor] = {}
    for place, entry in enumerate(entries):
        here = f"{path}[{place}]"
        try:
            monitor, example = read_monitor(entry, ACCOUNT)
        except BodyInvalid as error:
            problems.append(f"{here}.{error.words['name']}: {error.words['reason']}")
            continue
        except MonitorNameInvalid as error:
            problems.append(f"{here}.name: {error.words['name']!r} is no monitor's name")
            continue
        asked = {"sourceAgent": example.source_agent, "destinationAgent": example.destination_agent}
        wanted = {"agentName": monitor.agent} | {
            f"transferDefinition.{side}": agent.name
            for side, agent in asked.items()
            if not names_in(monitor.definition[side])
        }
        problems += [f"{here}.{name}: there is no agent {one}" for name, one in wanted.items() if one not in agents]
        for side, agent in asked.items():
            qmgr = agents[agent.name]["qmgr"] if agent.name in agents else ""
            if f"transferDefinition.{side}" in wanted and qmgr and qmgr.upper() != agent.qmgr:
                problems.append(f"{here}.transferDefinition.{side}.qmgrName: the agent {agent.name} is of {qmgr}")
        if found.setdefault((monitor.name, monitor.agent), monitor) is not monitor:
            problems.append(f"{here}.name: the agent {monitor.agent} has a monitor {monitor.name} already")
    return tuple(found.values())
