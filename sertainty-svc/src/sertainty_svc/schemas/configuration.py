"""Read the section `data_protector` of crossdock.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from mft_common.config import UNUSED, Reader, Sections, Size, problems_of, unused_keys
from mft_common.errors import ConfigError

_SECTION: Final = "data_protector"
SECTIONS: Final[Sections] = {_SECTION: dict}
_DEFAULT_MAX_BODY: Final = 32 << 20


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

    folders = fields.List(fields.String(validate=validate.Length(min=1)))
    interpreters = fields.Dict(keys=fields.String(validate=_EXTENSION), values=_COMMAND)
    script_path = fields.String(validate=validate.Length(min=1))
    script_user = fields.String(allow_none=True, validate=validate.Length(min=1))
    script_wrapper = fields.List(fields.String(validate=validate.Length(min=1)))
    presets = fields.String(allow_none=True, metadata=UNUSED)
    new_id_preset = fields.String(allow_none=True, metadata=UNUSED)
    kem = fields.String(validate=validate.OneOf(("x25519", "mlkem768-x25519")), metadata=UNUSED)
    executions = fields.Integer(strict=True, validate=validate.Range(min=1))
    host_key_file = fields.String(allow_none=True)
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
