"""Decide which files of its source folder a task takes (84, 89, 90)."""

import re
from collections.abc import Callable, Iterable
from fnmatch import translate
from typing import Final

from mft_common.endpoints.names import is_temporary
from sertainty_svc.domain.tasks import SEALED, Action, TaskDefinition

# The endings of names under which other programs write files that are not complete.
_UNFINISHED: Final = (".part", ".filepart")


def selection(definition: TaskDefinition) -> Callable[[str], bool]:
    """Return a function that tells whether a task takes the file of a path below its source folder.

    Names with a dot before them are never taken, nor is anything in such a folder. Names of unfinished files are taken
    by a pattern of the task that ends as they do, and by no other. Patterns are those of the shell, on the last step.
    """
    include, exclude = _expression(definition.filter.include), _expression(definition.filter.exclude)
    unfinished = tuple(one for one in _UNFINISHED if not any(each.endswith(one) for each in definition.filter.include))
    action = definition.action

    def takes(path: str) -> bool:
        name = path.rpartition("/")[2]
        if any(step.startswith(".") for step in path.split("/")) or name.endswith(unfinished) or is_temporary(name):
            return False
        protected = name.endswith(SEALED)
        if (protected and action is Action.AUTO_PROTECT) or (not protected and action is Action.AUTO_UNPROTECT):
            return False
        return include.match(name) is not None and exclude.match(name) is None

    return takes


def _expression(patterns: Iterable[str]) -> re.Pattern[str]:
    """Return the expression of names that match one of some patterns; without patterns none does."""
    return re.compile("|".join(translate(pattern) for pattern in patterns) or r"(?!)")
