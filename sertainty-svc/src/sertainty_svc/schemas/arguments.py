"""Match arguments with a function's table and check their form."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from sertainty_svc.domain.functions import ALTER_OPTIONS, ARGUMENT_ALIASES, NAMES, SIZES, Argument, Function
from sertainty_svc.domain.names import is_name
from sertainty_svc.errors import InvalidRequest

_PROMPT: Final = re.compile(r"prompt-[0-9]+", re.ASCII)
_ANY_TASK: Final = "*"
# The characters of all arguments of `hostOpenSession` with their names: no account needs more.
_LONGEST_OPENING: Final = 65_536


def placed(function: Function, arguments: Sequence[Argument]) -> dict[str, list[str]]:
    """Return each argument's contents, still in Base64, by its name; InvalidRequest on a wrong count (7, 8)."""
    own = {*function.singles, *([function.repeated] if function.repeated else []), *function.extensions}
    values: dict[str, list[str]] = {name: [] for name in (*function.singles, function.repeated) if name}
    others: list[str] = []
    for argument in arguments:
        name = ARGUMENT_ALIASES.get(argument.name or "", argument.name)
        if name not in own or name is None:
            others.append(argument.content)
        elif values.get(name) and name != function.repeated:
            raise InvalidRequest(f"the argument {name} is given twice")
        else:
            values.setdefault(name, []).append(argument.content)
    if len(values.keys() & set(function.extensions)) > 1:
        raise InvalidRequest(f"only one of {' and '.join(function.extensions)} may be given")
    rest = iter(others)
    for name in function.singles:
        if not values[name]:
            content = next(rest, None)
            if content is None:
                raise InvalidRequest(f"the argument {name} is missing")
            values[name].append(content)
    left = list(rest)
    if left and function.repeated is None:
        raise InvalidRequest(f"{function.name} takes {len(function.singles)} arguments")
    if function.repeated is not None:
        values[function.repeated].extend(left)
    return values


def check_forms(function: Function, values: Mapping[str, Sequence[bytes | str]]) -> None:
    """Check the form of names and options, and sizes; InvalidRequest names the argument (13, 17).

    Documents may be large: their operations read them, once, before they look for what the other arguments name.
    """
    for name, contents in values.items():
        for content in contents:
            if name in SIZES and len(content) > SIZES[name]:
                raise InvalidRequest(f"the argument {name} has more than {SIZES[name]} bytes")
            if isinstance(content, str):
                _check_form(function, name, content)


def _check_form(function: Function, name: str, content: str) -> None:
    if name in NAMES:
        wildcard = name == "task-name" and content == _ANY_TASK and "config-name" in function.args
        if not wildcard and not is_name(content):
            raise InvalidRequest(f"the argument {name} is no name")
    elif name == "alter-option" and content.lower() not in ALTER_OPTIONS:
        raise InvalidRequest("the argument alter-option is neither Disable nor Enable")


def opening(texts: Sequence[tuple[str | None, str]]) -> tuple[str, list[tuple[str | None, str]]]:
    """Return client-user and the answers of `hostOpenSession`, each with the name that it came under (24).

    `texts` are the arguments' names and contents in their order. InvalidRequest where they are longer than any account
    needs, so that comparing them costs nobody's time.
    """
    if sum(len(name or "") + len(text) for name, text in texts) > _LONGEST_OPENING:
        raise InvalidRequest(f"the arguments have more than {_LONGEST_OPENING} characters")
    named = [place for place, (name, _) in enumerate(texts) if name == "client-user"]
    if len(named) > 1:
        raise InvalidRequest("the argument client-user is given twice")
    others = [place for place, (name, _) in enumerate(texts) if not (name and _PROMPT.fullmatch(name))]
    if not named and not others:
        raise InvalidRequest("the argument client-user is missing")
    user = (named or others)[0]
    return texts[user][1], [answer for place, answer in enumerate(texts) if place != user]
