"""Write documents of tasks (10.4) as a client would, for the tests of what reads and runs them."""

from xml.etree.ElementTree import Element, SubElement, tostring

from sertainty_svc.domain.windows import DAYS


def document(*tasks):
    """Return a document of tasks, each as `task` returns it, as text."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Tasks version="1">{"".join(tasks)}</Tasks>\n'


def task(name="seal", type="Change", action="Copy", source="in", destination="out", **containers):  # noqa: A002 -- the attribute's name
    """Return one Task element as text; further leaves by tag, and containers as mappings of leaves."""
    root = Element("Task", {"name": name, "type": type})
    folders = {"Source": source, "Destination": destination, **containers.pop("Folders", {})}
    if type == "Time":
        containers.setdefault("Schedule", {"Interval": 900})
    for tag, value in {"Action": action, "Folders": folders, **containers}.items():
        _add(root, tag, value)
    return tostring(root, encoding="unicode")


def written(definition):
    """Return the Task element of a definition with every leaf written out, as text."""
    schedule = {"Interval": definition.schedule.interval_s, "At": list(definition.schedule.at)}
    schedule["TimeZone"] = definition.schedule.zone
    window = definition.schedule.window
    if window is not None:
        schedule |= {f"Day{day}": str(day in window.days).lower() for day in DAYS}
        for end, edge in (("Start", window.start), ("End", window.end)):
            schedule |= {f"{end}{name.capitalize()}": -1 if one is None else one for name, one in vars(edge).items()}
    root = Element("Task", {"name": definition.name, "type": definition.type.value})
    leaves = {
        "Enabled": str(definition.enabled).lower(),
        "Description": definition.description,
        "Action": definition.action.value,
        "ID": definition.id_name,
        "Script": definition.script,
        "Folders": {tag.capitalize(): folder for tag, folder in vars(definition.folders).items()},
        "Filter": {
            "Include": list(definition.filter.include),
            "Exclude": list(definition.filter.exclude),
            "Recurse": int(definition.filter.recurse),
        },
        "SettleSeconds": f"{definition.settle_s:f}",
        "AfterSuccess": definition.after_success.value,
        "Replace": str(definition.replace).lower(),
        "TimeLimit": definition.time_limit_s,
        "Retries": definition.retries,
        "Schedule": schedule,
    }
    for tag, value in leaves.items():
        _add(root, tag, value)
    parameters = SubElement(root, "Parameters")
    for name, text in definition.parameters.items():
        SubElement(parameters, "Parameter", {"name": name}).text = text
    return tostring(root, encoding="unicode")


def _add(parent, tag, value):
    """Append a leaf, leaves of one tag, or a container; None is no element."""
    if isinstance(value, dict):
        container = SubElement(parent, tag)
        for name, one in value.items():
            _add(container, name, one)
    elif isinstance(value, list):
        for one in value:
            _add(parent, tag, one)
    elif value is not None:
        SubElement(parent, tag).text = str(value)
