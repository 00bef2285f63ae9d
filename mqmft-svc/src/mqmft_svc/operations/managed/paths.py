"""Read the names of a request as paths below the root of an agent (217, 218)."""

from collections.abc import Iterable

from mqmft_svc.operations.managed.problems import OutsideRoot


def steps_of(path: str) -> list[str]:
    """Return the steps of a path; doubled slashes and `.` are none."""
    return [step for step in path.split("/") if step not in ("", ".")]


def path_below(name: str, roots: Iterable[str] = ()) -> str:
    """Return the path below the root that a name means, "" for the root itself; OutsideRoot where it leads out.

    `roots` are the places of a folder of this machine: a name that begins with a slash is the path of a file there.
    Without them a leading slash is the root.
    """
    steps = steps_of(name)
    if ".." in steps:
        raise OutsideRoot(f"{name}: a path with .. may lead out of the agent's root")
    places = [steps_of(root) for root in roots]
    if not places or not name.startswith("/"):
        return "/".join(steps)
    for place in places:
        if steps[: len(place)] == place:
            return "/".join(steps[len(place) :])
    raise OutsideRoot(f"{name}: is not inside the agent's root")


def joined(folder: str, path: str) -> str:
    """Return the path of a file in a folder, "" for the root."""
    return f"{folder}/{path}" if folder else path


def split(path: str) -> tuple[str, str]:
    """Return the folder and the name of a path."""
    folder, _, name = path.rpartition("/")
    return folder, name


def is_pattern(path: str) -> bool:
    """Return whether the last part of a path has wildcards."""
    name = split(path)[1]
    return "*" in name or "?" in name


def is_hidden(path: str, pattern: str) -> bool:
    """Return whether a pattern passes over a file that its characters match: a leading dot is named, or not meant."""
    *folders, name = path.split("/")
    if any(step.startswith(".") for step in folders):
        return True
    return name.startswith(".") and not pattern.startswith(".")
