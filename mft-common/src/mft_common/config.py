"""Read crossdock.yaml: one mapping a section, secrets resolved, every problem named by its path."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import marshmallow
import yaml

from mft_common import logs, settings
from mft_common.errors import ConfigError

T_co = TypeVar("T_co", covariant=True)

Sections = Mapping[str, type]

# The metadata of a schema's field that is validated and has no effect yet; `unused_keys` finds it.
UNUSED: Final = {"unused": True}
# The least similarity of a misspelt name, as difflib measures it.
_MISSPELT: Final = 0.8
_BOOLEAN: Final = "tag:yaml.org,2002:bool"
_REFERENCES: Final = ("env", "file", "demo")


@dataclass
class Reader:
    """Resolves the references in a configuration.

    `folder` is where relative `{file: ...}` references start, `environ` where `{env: ...}` looks. `{demo: text}`
    holds a secret in clear and is taken from the built-in demo alone. `data` is the data folder of the hub, below
    which relative local folders lie.
    """

    folder: Path
    environ: Mapping[str, str]
    demo: bool = False
    data: Path = Path("data")
    problems: list[str] = field(default_factory=list)

    def secret(self, value: Any, path: str) -> str:
        """Return the secret that `value` refers to; adds a problem and returns an empty text where it cannot."""
        if not isinstance(value, Mapping) or len(value) != 1 or next(iter(value)) not in _REFERENCES:
            self.problems.append(f"{path}: a secret is given as {{env: NAME}} or {{file: PATH}}, never in clear")
            return ""
        kind, target = next(iter(value.items()))
        if kind == "demo" and not self.demo:
            self.problems.append(f"{path}: only the built-in demo holds secrets in clear")
        elif kind == "demo":
            return str(target)
        elif kind == "env" and str(target) in self.environ:
            return self.environ[str(target)]
        elif kind == "env":
            self.problems.append(f"{path}: the environment has no variable {target}")
        else:
            try:
                return (self.folder / str(target)).read_text(encoding="utf-8").rstrip("\n")
            except (OSError, UnicodeDecodeError) as error:
                self.problems.append(f"{path}: the file {target} cannot be read ({type(error).__name__})")
        return ""

    def check(self) -> None:
        """Raise ConfigError with every problem found so far."""
        if self.problems:
            raise ConfigError(sorted(self.problems))


class ReadSections(Protocol[T_co]):
    """How each service reads its sections of crossdock.yaml.

    It opens and changes nothing. A problem is raised in a ConfigError, or added to `reader.problems`, which the caller
    checks; it is named by its path.
    """

    def __call__(self, document: Mapping[str, Any], reader: Reader, /) -> T_co:
        """Return the service's part of the whole `document`."""
        ...


class _UniqueLoader(yaml.SafeLoader):
    """Refuses a mapping that names one key twice; plain YAML would silently keep the last.

    A key is text: YAML 1.1 would read the unquoted keys `on`, `off`, `yes` and `no` as booleans.
    """


def _unique_mapping(loader: _UniqueLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == _BOOLEAN:
            key_node.tag = yaml.resolver.BaseResolver.DEFAULT_SCALAR_TAG
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str | int):
            raise yaml.constructor.ConstructorError(None, None, f"{key!r} cannot be a key", key_node.start_mark)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is given twice", key_node.start_mark)
        seen.add(key)
    mapping: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return mapping


_UniqueLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def parse(text: str, origin: str, sections: Sections, *, whole: bool = True) -> dict[str, Any]:
    """Return the sections of a configuration; ConfigError when it is no YAML mapping of known sections.

    `sections` maps the known names to dict or list. `whole` refuses every other name; a service of its own passes over
    the sections of the others, and refuses those names that look like one of its own misspelt.
    """
    try:
        document = yaml.load(text, Loader=_UniqueLoader)  # noqa: S506 -- a SafeLoader with one more check
    except yaml.YAMLError as error:
        raise ConfigError([f"{origin}: {' '.join(str(error).split())}"]) from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigError([f"{origin}: a configuration is a mapping of sections"])
    problems = []
    for name, value in document.items():
        if name not in sections:
            close = difflib.get_close_matches(str(name), sections, n=1, cutoff=_MISSPELT)
            if whole or close:
                problems.append(f"{name}: no such section{f'; is {close[0]} meant?' if close else ''}")
        elif value is not None and not isinstance(value, sections[name]):
            problems.append(f"{name}: is a {'list' if sections[name] is list else 'mapping'}")
    if problems:
        raise ConfigError(sorted(problems))
    return {name: value for name, value in document.items() if value is not None}


def load(path: Path, sections: Sections, *, whole: bool = True) -> dict[str, Any]:
    """Read a configuration file; ConfigError when it cannot be read, and as `parse` says."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read ({type(error).__name__})"]) from error
    return parse(text, path.name, sections, whole=whole)


def problems_of(error: marshmallow.ValidationError, path: str) -> list[str]:
    """Turn marshmallow's nested messages into one line a problem, each beginning with its path."""
    found: list[str] = []

    def walk(messages: Any, at: str) -> None:
        if isinstance(messages, dict) and messages.keys() <= {"key", "value"}:
            # marshmallow separates errors of a mapping's keys from those of its values; the path shows the key alone.
            for inner in messages.values():
                walk(inner, at)
        elif isinstance(messages, dict):
            for key, inner in messages.items():
                walk(inner, at if key == marshmallow.exceptions.SCHEMA else f"{at}.{key}".lstrip("."))
        else:
            found.extend(f"{at}: {message}" for message in ([messages] if isinstance(messages, str) else messages))

    walk(error.messages, path)
    return found


def unused_keys(schema: marshmallow.Schema, value: Any, path: str) -> list[str]:
    """Return the paths of those keys of `value` whose field in `schema` has the metadata `UNUSED`."""
    if not isinstance(value, Mapping):
        return []
    found: list[str] = []
    for name, declared in schema.fields.items():
        if name in value and declared.metadata.get("unused"):
            found.append(f"{path}.{name}")
        elif name in value and isinstance(declared, marshmallow.fields.Nested):
            found += unused_keys(declared.schema, value[name], f"{path}.{name}")
        elif name in value and isinstance(declared, marshmallow.fields.Dict):
            found += _unused_in_values(declared, value[name], f"{path}.{name}")
    return found


def _unused_in_values(declared: marshmallow.fields.Dict, value: Any, path: str) -> list[str]:
    """Return the unused keys of the values of a mapping whose keys are names of the operator's own."""
    inner = declared.value_field
    if not isinstance(value, Mapping) or not isinstance(inner, marshmallow.fields.Nested):
        return []
    return [key for name, one in value.items() for key in unused_keys(inner.schema, one, f"{path}.{name}")]


def warn_unused(keys: list[str]) -> None:
    """Write one warning that names the keys which have no effect yet, where there are any."""
    if keys:
        logs.get("configuration").warning("configuration.keys_unused", keys=keys)


class Duration(marshmallow.fields.Field[float]):
    """`10s`, `5m`, `24h`, `90d`: seconds as a float."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:  # noqa: ARG002
        if not isinstance(value, str):
            raise marshmallow.ValidationError("is no duration such as 10s, 5m, 24h or 90d")
        try:
            return settings.duration(value)
        except ValueError as error:
            raise marshmallow.ValidationError(str(error)) from error


class Size(marshmallow.fields.Field[int]):
    """`256KiB`, `8MiB`, or a whole number of bytes."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:  # noqa: ARG002
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise marshmallow.ValidationError("is no size such as 256KiB or 8MiB")
        try:
            return settings.size(str(value))
        except ValueError as error:
            raise marshmallow.ValidationError(str(error)) from error


class Rate(Size):
    """`10MiB/s`: bytes per second."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not isinstance(value, str) or not re.fullmatch(r"[0-9]+\s*([KMGT]iB|B)/s", value):
            raise marshmallow.ValidationError("is no rate such as 10MiB/s")
        return super()._deserialize(value.removesuffix("/s").replace(" ", ""), attr, data, **kwargs)
