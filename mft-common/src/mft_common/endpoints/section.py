"""Read the `endpoints` section of crossdock.yaml."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, validate

from mft_common import config
from mft_common.endpoints.errors import BadName
from mft_common.endpoints.targets import REFERENCE, Target, Timeouts, decoded, parse_url, problems_of

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_HOST_KEY: Final = re.compile(
    r"(SHA256:[A-Za-z0-9+/]{43}=?|(ssh-|ecdsa-|sk-)[A-Za-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}( [^\r\n]*)?)\s*\Z"
)

_REDIRECT: Final = re.compile(r"(\*|(\*\.)?[A-Za-z0-9_][A-Za-z0-9._-]{0,252}|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?\Z")


class _Timeouts(Schema):
    connect = config.Duration(validate=validate.Range(min=0.1, max=600))
    idle = config.Duration(validate=validate.Range(min=0.1, max=86400))


class _Endpoint(Schema):
    url = fields.String(required=True)
    password = fields.Raw()
    key = fields.Raw()
    passphrase = fields.Raw()
    host_key = fields.String(
        validate=validate.Regexp(
            _HOST_KEY, error="is neither SHA256: and 43 characters of base64, nor a public key (ssh-ed25519 AAAA...)"
        )
    )
    timeouts = fields.Nested(_Timeouts)
    endpoint = fields.String()
    region = fields.String(validate=validate.Regexp(r"[a-z0-9-]{1,63}\Z", error="is no region's name"))
    key_id = fields.Raw()
    secret = fields.Raw()
    ca = fields.String(validate=validate.Length(min=1))
    tls = fields.String(validate=validate.OneOf(("explicit", "implicit")))
    mode = fields.String(validate=validate.OneOf(("binary", "ascii")))
    line_ends = fields.String(validate=validate.OneOf(("lf", "crlf")))
    redirects = fields.List(fields.String(validate=validate.Regexp(_REDIRECT, error="is no host")))


_SECRETS: Final = ("password", "key", "passphrase", "key_id", "secret")
# The keys that each scheme takes beside `url`.
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "file": ("line_ends",),
    "filestore": ("line_ends",),
    "sftp": ("password", "key", "passphrase", "host_key", "timeouts", "line_ends"),
    "ftp": ("password", "timeouts", "mode"),
    "ftps": ("password", "timeouts", "mode", "ca", "tls"),
    "s3": ("endpoint", "region", "key_id", "secret", "timeouts", "ca", "line_ends"),
    "http": ("password", "timeouts", "redirects", "line_ends"),
    "https": ("password", "timeouts", "ca", "redirects", "line_ends"),
}


def read_targets(section: Mapping[Any, Any], secrets: config.Reader, path: str = "endpoints") -> dict[str, Target]:
    """Return the endpoints of the configuration's section by name; every problem is added to `secrets.problems`."""
    targets: dict[str, Target] = {}
    for name, given in section.items():
        at = f"{path}.{name}"
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            secrets.problems.append(f"{at}: an endpoint's name has letters, digits, dots, hyphens and underscores")
            continue
        target = _read(name, given, secrets, at)
        if target is not None:
            targets[name] = target
    return targets


def _read(name: str, given: Any, secrets: config.Reader, at: str) -> Target | None:
    try:
        values = _Endpoint().load(given)
        target = parse_url(values.pop("url"))
    except ValidationError as error:
        secrets.problems.extend(config.problems_of(error, at))
        return None
    except BadName as error:
        secrets.problems.append(f"{at}.url: {error}")
        return None
    foreign = [key for key in values if key not in _KEYS[target.scheme]]
    secrets.problems.extend(f"{at}.{key}: has no meaning for {target.scheme}:" for key in foreign)
    before = len(secrets.problems)
    for key in _SECRETS:
        if key in values:
            values[key] = secrets.secret(values[key], f"{at}.{key}")
    if "timeouts" in values:
        values["timeouts"] = Timeouts(**values["timeouts"])
    if "redirects" in values:
        values["redirects"] = tuple(values["redirects"])
    if "ca" in values:
        ca = secrets.folder / values["ca"]
        values["ca"] = str(ca)
        if not ca.is_file():
            secrets.problems.append(f"{at}.ca: the file cannot be read")
    if foreign or len(secrets.problems) > before:
        return None
    target = replace(target, name=name, **values)
    found = problems_of(target)
    secrets.problems.extend(f"{at}.{problem}" for problem in found)
    return None if found else target


@dataclass(frozen=True)
class Targets:
    """The configured endpoints, by name."""

    named: Mapping[str, Target] = field(default_factory=dict)

    def find(self, url: str) -> Target:
        """Return the target of a URL or of `endpoint:NAME[/folder]`; BadName where it is none or lacks something."""
        if url.startswith(REFERENCE):
            name, _, folder = url.removeprefix(REFERENCE).partition("/")
            if name not in self.named:
                raise BadName(f"there is no endpoint {name}")
            return self.named[name].below(decoded(folder))
        target = parse_url(url)
        if found := problems_of(target):
            raise BadName(f"the URL alone is not enough; declare an endpoint ({found[0]})")
        return target
