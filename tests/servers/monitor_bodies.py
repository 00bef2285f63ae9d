"""Bodies of `POST monitor`."""

import copy

AGENTS = {"QUAY": "file:quay", "YARD": "file:yard"}
DEFINITION = {
    "sourceAgent": {"name": "QUAY", "qmgrName": "QM1"},
    "destinationAgent": {"name": "YARD", "qmgrName": "QM1"},
    "transferSet": {"item": [{"source": {"name": "${FilePath}"}, "destination": {"name": "got/${FileName}"}}]},
}


def config(agents=None, **more):
    """Return a configuration with agents over folders."""
    declared = {name: {"qmgr": "QM1", "root": root} for name, root in (agents or AGENTS).items()}
    return {"ibm_mq_mft": {"coordination_qmgr": "QM1", "agents": declared}, **more}


def body(name="WATCH", **changes):
    """Return the body of a monitor of the folder `in` of QUAY; names with `__` reach into objects, None removes."""
    made = {
        "name": name,
        "type": "directory",
        "agentName": "QUAY",
        "general": {"pollInterval": 1, "pollIntervalUnit": "seconds"},
        "resource": {"name": "in"},
        "triggerCondition": {"type": "matchAll"},
        "transferDefinition": copy.deepcopy(DEFINITION),
    }
    for path, value in changes.items():
        *folders, last = path.split("__")
        target = made
        for step in folders:
            target = target[int(step)] if isinstance(target, list) else target.setdefault(step, {})
        if value is None:
            target.pop(last, None)
        else:
            target[last] = value
    return made
