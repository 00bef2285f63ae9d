"""Match arguments with a function's table and check their form; read the section `data_protector`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from mft_common import xml
from mft_common.config import UNUSED, Reader, Sections, Size, problems_of, unused_keys
from mft_common.errors import ConfigError
from mft_common.xml import XmlError
from sertainty_svc.domain import ALTER_OPTIONS, ARGUMENT_ALIASES, DOCUMENTS, NAMES, Argument, Function, is_name
from sertainty_svc.errors import InvalidRequest

_SECTION: Final = "data_protector"
SECTIONS: Final[Sections] = {_SECTION: dict}
_MAX_ELEMENTS: Final = 500_000
_PROMPT: Final = re.compile(r"prompt-[0-9]+", re.ASCII)
_ANY_TASK: Final = "*"
_DEFAULT_MAX_BODY: Final = 32 << 20


def placed(function: Function, arguments: Sequence[Argument]) -> dict[str, list[str]]:
    """Return each argument's contents, still in Base64, by its name; InvalidRequest on a wrong count (7, 8)."""
    own = {*function.singles, *([function.repeated] if function.repeated else [])}
    values: dict[str, list[str]] = {name: [] for name in (*function.singles, function.repeated) if name}
    others: list[str] = []
    for argument in arguments:
        name = ARGUMENT_ALIASES.get(argument.name or "", argument.name)
        if name not in own or name is None:
            others.append(argument.content)
        elif values[name] and name != function.repeated:
            raise InvalidRequest(f"the argument {name} is given twice")
        else:
            values[name].append(argument.content)
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
    """Check the form of names, options and documents; InvalidRequest names the argument (13, 17)."""
    for name, contents in values.items():
        for content in contents:
            if isinstance(content, str):
                _check_form(function, name, content)


def _check_form(function: Function, name: str, content: str) -> None:
    if name in NAMES:
        wildcard = name == "task-name" and content == _ANY_TASK and "config-name" in function.args
        if not wildcard and not is_name(content):
            raise InvalidRequest(f"the argument {name} is no name")
    elif name == "alter-option":
        if content.lower() not in ALTER_OPTIONS:
            raise InvalidRequest("the argument alter-option is neither Disable nor Enable")
    elif name in DOCUMENTS or name == "machine-fingerprint":
        _check_document(name, content)


def _check_document(name: str, content: str) -> None:
    try:
        root = xml.parse(content.encode("utf-8"), max_elements=_MAX_ELEMENTS)
    except XmlError as error:
        raise InvalidRequest(f"the argument {name}: {error}") from error
    if name in DOCUMENTS and root.tag not in DOCUMENTS[name]:
        raise InvalidRequest(f"the argument {name} has another root than {' or '.join(DOCUMENTS[name])}")


def opening(texts: Sequence[tuple[str | None, str]]) -> tuple[str, list[tuple[str | None, str]]]:
    """Return client-user and the answers of `hostOpenSession`, each with the name that it came under (24).

    `texts` are the arguments' names and contents in their order.
    """
    named = [place for place, (name, _) in enumerate(texts) if name == "client-user"]
    if len(named) > 1:
        raise InvalidRequest("the argument client-user is given twice")
    others = [place for place, (name, _) in enumerate(texts) if not (name and _PROMPT.fullmatch(name))]
    if not named and not others:
        raise InvalidRequest("the argument client-user is missing")
    user = (named or others)[0]
    return texts[user][1], [answer for place, answer in enumerate(texts) if place != user]


@dataclass(frozen=True, kw_only=True)
class Section:
    """The section `data_protector`: `folders` are the roots that tasks may reach, the first one for relative paths.

    `interpreters` maps a script's extension to the command that runs it; none is enabled unless it is named.
    """

    folders: tuple[Path, ...] = ()
    interpreters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    script_path: str = "/usr/local/bin:/usr/bin:/bin"
    script_user: str | None = None
    script_wrapper: tuple[str, ...] = ()
    presets: str | None = None
    new_id_preset: str | None = None
    kem: str = "x25519"
    unknown_users: str = "challenge"
    failures: int = 3
    max_body: int = _DEFAULT_MAX_BODY
    executions: int = 4
    host_key_file: str | None = None


_COMMAND: Final = fields.List(fields.String(validate=validate.Length(min=1)), validate=validate.Length(min=1))
_EXTENSION: Final = validate.Regexp(r"\A\.[A-Za-z0-9]{1,16}\Z", error="An extension is a dot and letters, such as .py")


class _SectionSchema(Schema):
    class Meta:
        unknown = RAISE

    folders = fields.List(fields.String(validate=validate.Length(min=1)), metadata=UNUSED)
    interpreters = fields.Dict(keys=fields.String(validate=_EXTENSION), values=_COMMAND, metadata=UNUSED)
    script_path = fields.String(metadata=UNUSED)
    script_user = fields.String(allow_none=True, metadata=UNUSED)
    script_wrapper = fields.List(fields.String(), metadata=UNUSED)
    presets = fields.String(allow_none=True, metadata=UNUSED)
    new_id_preset = fields.String(allow_none=True, metadata=UNUSED)
    kem = fields.String(validate=validate.OneOf(("x25519", "mlkem768-x25519")), metadata=UNUSED)
    executions = fields.Integer(strict=True, validate=validate.Range(min=1), metadata=UNUSED)
    host_key_file = fields.String(allow_none=True, metadata=UNUSED)
    max_body = Size(validate=validate.Range(min=1024))
    # The gateway uses these two: it asks the prompts.
    unknown_users = fields.String(validate=validate.OneOf(("challenge", "deny")))
    failures = fields.Integer(strict=True, validate=validate.Range(min=1))


def unused(document: Mapping[str, Any]) -> list[str]:
    """Return the paths of keys that are validated and have no effect yet."""
    return unused_keys(_SectionSchema(), document.get(_SECTION), _SECTION)


def read_sections(document: Mapping[str, Any], reader: Reader) -> Section:
    """Read the section `data_protector`; ConfigError names every problem in it by its path.

    Relative roots lie below the data folder; no root may reach the hub's own state there (107).
    """
    try:
        loaded = _SectionSchema().load(document.get(_SECTION) or {})
    except ValidationError as error:
        raise ConfigError(problems_of(error, _SECTION)) from error
    roots = tuple((reader.data / name).resolve() for name in loaded.pop("folders", ()))
    state = (reader.data / "state").resolve()
    problems = [
        f"{_SECTION}.folders.{place}: the hub's own state is there"
        for place, root in enumerate(roots)
        if root.is_relative_to(state) or state.is_relative_to(root)
    ]
    if problems:
        raise ConfigError(problems)
    interpreters = {name: tuple(command) for name, command in loaded.pop("interpreters", {}).items()}
    wrapper = tuple(loaded.pop("script_wrapper", ()))
    return Section(folders=roots, interpreters=interpreters, script_wrapper=wrapper, **loaded)
