"""Read the section `data_protector` of crossdock.yaml."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from mft_common.config import Reader, ReadSections, Sections, Size, problems_of, unused_keys
from mft_common.errors import ConfigError
from sertainty_svc.errors import InvalidRequest
from sertainty_svc.schemas.presets import SHIPPED, UNRESTRICTED, Preset, read_preset
from sertainty_svc.settings import HOST_KEY_FILE

_SECTION: Final = "data_protector"
SECTIONS: Final[Sections] = {_SECTION: dict}
_DEFAULT_MAX_BODY: Final = 32 << 20


@dataclass(frozen=True, kw_only=True)
class Section:
    """The section `data_protector`: `folders` are the roots that tasks may reach, the first one for relative paths.

    `named_folders` are the same roots as they are configured, absolute, while links in `folders` are resolved.
    `interpreters` maps a script's extension to the command that runs it; none is enabled unless it is named.
    `presets` are those that come with the hub and those of the configured folder, `kem` is the key algorithm of new
    IDs, and `host_key_file` the path of this machine's key where it is not in the state folder.
    """

    folders: tuple[Path, ...] = ()
    named_folders: tuple[Path, ...] = ()
    interpreters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    script_path: str = "/usr/local/bin:/usr/bin:/bin"
    script_user: str | None = None
    script_wrapper: tuple[str, ...] = ()
    presets: Mapping[str, Preset] = field(default_factory=lambda: SHIPPED)
    new_id_preset: str = UNRESTRICTED
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
    presets = fields.String(allow_none=True, validate=validate.Length(min=1))
    new_id_preset = fields.String(allow_none=True)
    kem = fields.String(validate=validate.OneOf(("x25519", "mlkem768-x25519")))
    executions = fields.Integer(strict=True, validate=validate.Range(min=1))
    host_key_file = fields.String(allow_none=True, validate=validate.Length(min=1))
    max_body = Size(validate=validate.Range(min=1024))
    # The gateway uses these two: it asks the prompts.
    unknown_users = fields.String(validate=validate.OneOf(("challenge", "deny")))
    failures = fields.Integer(strict=True, validate=validate.Range(min=1))


def unused(document: Mapping[str, Any]) -> list[str]:
    """Return the paths of keys that are validated and have no effect yet."""
    return unused_keys(_SectionSchema(), document.get(_SECTION), _SECTION)


def read_sections(document: Mapping[str, Any], reader: Reader) -> Section:
    """Read the section `data_protector`; ConfigError names every problem in it by its path.

    Relative roots lie below the data folder; no root may reach the hub's own state there (107). The folder of presets
    is read, as files of secrets are; relative paths of it and of the host key start at the folder of the configuration.
    """
    try:
        loaded = _SectionSchema().load(document.get(_SECTION) or {})
    except ValidationError as error:
        raise ConfigError(problems_of(error, _SECTION)) from error
    named = tuple(reader.data.absolute() / name for name in loaded.pop("folders", ()))
    roots = tuple(folder.resolve() for folder in named)
    state = (reader.data / "state").resolve()
    problems = [
        f"{_SECTION}.folders.{place}: the hub's own state is there"
        for place, root in enumerate(roots)
        if root.is_relative_to(state) or state.is_relative_to(root)
    ]
    presets = _read_presets(reader, loaded.pop("presets", None), problems)
    new_id_preset = loaded.pop("new_id_preset", None) or UNRESTRICTED
    if new_id_preset not in presets and not problems:
        problems.append(f"{_SECTION}.new_id_preset: there is no preset {new_id_preset!r}")
    host_key = loaded.pop("host_key_file", None)
    if host_key is not None and is_below(reader.folder / host_key, roots):
        problems.append(f"{_SECTION}.host_key_file: tasks reach it, since it lies in one of the folders")
    if problems:
        raise ConfigError(problems)
    interpreters = {name: tuple(command) for name, command in loaded.pop("interpreters", {}).items()}
    wrapper = tuple(loaded.pop("script_wrapper", ()))
    return Section(
        folders=roots,
        named_folders=named,
        interpreters=interpreters,
        script_wrapper=wrapper,
        presets=presets,
        new_id_preset=new_id_preset,
        host_key_file=None if host_key is None else str(reader.folder / host_key),
        **loaded,
    )


def sections_reader(host_key_file: str | None) -> ReadSections[Section]:
    """Return `read_sections` for processes whose environment names the file of the host key, or None.

    No task may reach that file by the folders of any configuration, one that is applied later included.
    """

    def read(document: Mapping[str, Any], reader: Reader) -> Section:
        section = read_sections(document, reader)
        if host_key_file is not None and is_below(Path(host_key_file), section.folders):
            raise ConfigError([f"{_SECTION}.folders: tasks reach the file of {HOST_KEY_FILE}, since it lies in one"])
        return section

    return read


def is_below(path: Path, roots: Sequence[Path]) -> bool:
    """Return whether a path, or what it links to, lies in one of the roots, whose links are resolved."""
    places = (path.parent.resolve() / path.name, path.resolve())
    return any(place.is_relative_to(root) for place in places for root in roots)


def _read_presets(reader: Reader, folder: str | None, problems: list[str]) -> Mapping[str, Preset]:
    """Return the presets that come with the hub and those of the files `*.xml` in a folder, by their names (102)."""
    presets = dict(SHIPPED)
    if folder is None:
        return presets
    place = reader.folder / folder
    if not place.is_dir():
        problems.append(f"{_SECTION}.presets: there is no folder {folder}")
    for path in sorted(place.glob("*.xml")):
        try:
            preset = read_preset(path.read_bytes())
        except (OSError, InvalidRequest) as error:
            reason = error.detail if isinstance(error, InvalidRequest) else type(error).__name__
            problems.append(f"{_SECTION}.presets: {path.name}: {reason}")
            continue
        if preset.name in presets:
            problems.append(f"{_SECTION}.presets: {path.name}: there is another preset {preset.name!r}")
        presets[preset.name] = preset
    return presets
