"""Read documents of tasks and of templates (10.4): whole, or InvalidRequest that names the first fault."""

import re
from typing import Final
from xml.etree.ElementTree import Element

from mft_common import xml
from mft_common.xml import XmlError
from sertainty_svc.domain.names import is_name
from sertainty_svc.domain.tasks import (
    SCRIPT_TIME_LIMIT_S,
    Action,
    AfterSuccess,
    Filter,
    Folders,
    TaskDefinition,
    TaskSchedule,
    TaskType,
)
from sertainty_svc.errors import InvalidRequest
from sertainty_svc.schemas.folders import Roots, read_folders
from sertainty_svc.schemas.leaves import Leaves
from sertainty_svc.schemas.windows import read_window, read_zone

MOST_TASKS: Final = 10_000
MOST_BYTES: Final = 8 << 20
_MOST_ELEMENTS: Final = 500_000
# All patterns of a document are compiled by the one watcher of all tasks, which takes microseconds for each character.
_MOST_IN_PATTERNS: Final = 1 << 20
_VERSION: Final = "1"
_DAY_S: Final = 86_400
_YEAR_S: Final = 31_536_000
_MOST_RETRIES: Final = 100
_PARAMETER: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}", re.ASCII)
_TIME_OF_DAY: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)


def read_tasks(contents: bytes, roots: Roots) -> list[TaskDefinition]:
    """Return the tasks of a document; `roots` bound their folders (103)."""
    root = _parse(contents)
    if root.tag != "Tasks":
        raise InvalidRequest("the root is not Tasks")
    return _tasks(root, roots)


def read_template(contents: bytes, roots: Roots) -> TaskDefinition:
    """Return the one task of a template: a Task, or Tasks that hold exactly one (104)."""
    root = _parse(contents)
    if root.tag == "Task":
        return _task(root, roots)
    if root.tag != "Tasks":
        raise InvalidRequest("the root is neither Task nor Tasks")
    tasks = _tasks(root, roots)
    if len(tasks) != 1:
        raise InvalidRequest(f"a template holds one task, and not {len(tasks)}")
    return tasks[0]


def _parse(contents: bytes) -> Element:
    if len(contents) > MOST_BYTES:
        raise InvalidRequest(f"the document has more than {MOST_BYTES} bytes")
    try:
        return xml.parse(contents, max_elements=_MOST_ELEMENTS)
    except XmlError as error:
        raise InvalidRequest(str(error)) from error


def _tasks(root: Element, roots: Roots) -> list[TaskDefinition]:
    if root.get("version", _VERSION) != _VERSION:
        raise InvalidRequest("the document has another version than 1")
    elements = root.findall("Task")
    if len(elements) > MOST_TASKS:
        raise InvalidRequest(f"there are more than {MOST_TASKS} tasks")
    tasks: dict[str, TaskDefinition] = {}
    in_patterns = 0
    for element in elements:
        task = _task(element, roots)
        if task.name in tasks:
            raise InvalidRequest(f"there are two tasks {task.name}")
        tasks[task.name] = task
        in_patterns += sum(map(len, (*task.filter.include, *task.filter.exclude)))
        if in_patterns > _MOST_IN_PATTERNS:
            raise InvalidRequest(f"Include and Exclude have more than {_MOST_IN_PATTERNS} characters together")
    return list(tasks.values())


def _task(element: Element, roots: Roots) -> TaskDefinition:
    name = element.get("name", "")
    if not is_name(name):
        raise InvalidRequest("the name of a Task is no name")
    leaves = Leaves(element, f"Task {name}")
    type_ = next((one for one in TaskType if one.value == element.get("type")), None)
    if type_ is None:
        raise InvalidRequest(f"{leaves.path}: the type is neither Change nor Time")
    action = leaves.choice("Action", Action)
    filter_ = _filter(leaves.inside("Filter"))
    task = TaskDefinition(
        name=name,
        type=type_,
        action=action,
        enabled=leaves.boolean("Enabled", default=True),
        description=leaves.text("Description"),
        id_name=_name(leaves, "ID"),
        script=_name(leaves, "Script"),
        folders=read_folders(leaves.inside("Folders"), roots, recurse=filter_.recurse),
        filter=filter_,
        settle_s=leaves.decimal("SettleSeconds", _DAY_S, 1.0),
        after_success=leaves.choice("AfterSuccess", AfterSuccess, AfterSuccess.KEEP),
        replace=leaves.boolean("Replace", default=False),
        time_limit_s=leaves.whole("TimeLimit", 1, _DAY_S, SCRIPT_TIME_LIMIT_S if action is Action.SCRIPT else None),
        retries=leaves.whole("Retries", 0, _MOST_RETRIES, 3),
        parameters=_parameters(leaves.inside("Parameters")),
        schedule=_schedule(leaves.inside("Schedule"), type_),
    )
    _check_required(task, leaves)
    return task


def _check_required(task: TaskDefinition, leaves: Leaves) -> None:
    folders: Folders = task.folders
    runs_script = task.action is Action.SCRIPT
    required = {
        "ID": task.action is not Action.AUTO_PROTECT or task.id_name,
        "Script": not runs_script or task.script,
        "Folders/Source": (runs_script and task.type is TaskType.TIME) or folders.source,
        "Folders/Destination": runs_script or folders.destination,
        "Folders/Archive": task.after_success is not AfterSuccess.ARCHIVE or folders.archive,
    }
    for path, there in required.items():
        if not there:
            raise leaves.problem(path, "missing")


def _name(leaves: Leaves, tag: str) -> str:
    name = leaves.text(tag)
    if name and not is_name(name):
        raise leaves.problem(tag, "no name")
    return name


def _filter(leaves: Leaves) -> Filter:
    return Filter(
        include=leaves.texts("Include") or Filter().include,
        exclude=leaves.texts("Exclude"),
        recurse=leaves.boolean("Recurse", default=False),
    )


def _parameters(leaves: Leaves) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for element in leaves.elements("Parameter"):
        name = element.get("name", "")
        if not _PARAMETER.fullmatch(name):
            raise leaves.problem("Parameter", "without a name of letters, digits and underscores")
        if name in parameters:
            raise leaves.problem(f"Parameter {name}", "given twice")
        if len(element):
            raise leaves.problem(f"Parameter {name}", "no leaf")
        parameters[name] = element.text or ""
    return parameters


def _schedule(leaves: Leaves, type_: TaskType) -> TaskSchedule:
    interval = leaves.whole("Interval", 1, _YEAR_S, None)
    times = tuple(text.strip() for text in leaves.texts("At"))
    if "At" in leaves and not (times and all(map(_TIME_OF_DAY.fullmatch, times))):
        raise leaves.problem("At", "no time of the day such as 02:30")
    if type_ is TaskType.CHANGE and (interval is not None or times):
        raise InvalidRequest(f"{leaves.path}: a Change task has neither Interval nor At")
    if type_ is TaskType.TIME and (interval is None) == (not times):
        raise InvalidRequest(f"{leaves.path}: a Time task has Interval or At, and not both")
    window = read_window(leaves)
    return TaskSchedule(
        interval_s=interval,
        at=tuple(sorted(set(times))),
        zone=read_zone(leaves),
        window=None if window.restriction is None else window,
    )
