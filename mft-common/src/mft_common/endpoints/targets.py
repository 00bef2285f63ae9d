"""Parse and check the URLs of endpoints."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal
from urllib.parse import quote, unquote_to_bytes, urlsplit

from mft_common.endpoints.errors import BadName
from mft_common.endpoints.names import check_name

LOCAL: Final = ("file", "filestore")
WEB: Final = ("http", "https")
NETWORK: Final = ("sftp", "ftp", "ftps", "s3", *WEB)
REFERENCE: Final = "endpoint:"
PORTS: Final[Mapping[str, int]] = {"sftp": 22, "ftp": 21, "ftps": 21, "http": 80, "https": 443}
_IMPLICIT_PORT: Final = 990
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?")
_BLANK: Final = re.compile(r"[\x00-\x20\x7f]")

Tls = Literal["", "explicit", "implicit"]
Mode = Literal["binary", "ascii"]
LineEnds = Literal["lf", "crlf"]


@dataclass(frozen=True)
class Timeouts:
    """Limits in seconds: to connect, and without a byte in either direction."""

    connect: float = 10.0
    idle: float = 60.0


@dataclass(frozen=True, kw_only=True)
class Target:
    """One validated endpoint: where it is, and how this hub proves who it is there.

    `folder` is decoded (`surrogateescape`) and has no empty steps; it begins with `/` where it is absolute. "" is the
    folder after the login for sftp, ftp and ftps, whose URLs write folders below that one as `/~/folder`; the data
    folder for file; the whole bucket for s3. For http and https `folder` is the path with its escapes, and `query`
    what follows `?`. `host` is the bucket for s3. `port` is the protocol's own where the URL names none, 0 where there
    is no such thing. `key` is a private key as text, decrypted with `passphrase`. `host_key` is a fingerprint
    (`SHA256:...`) or a public key (`ssh-ed25519 AAAA...`). `endpoint` is the base URL of an S3 service, "" for AWS.
    `ca` is the path of a PEM file of the authorities to trust instead of the system's. `tls` is that of ftps,
    `mode` the transfer type of ftp and ftps. `redirects` are the hosts to which http and https may be redirected:
    `host`, `host:port`, `*.domain` or `*`. `line_ends` are those of text files at the far side, which work in ASCII
    mode makes; ftp and ftps have none, because their servers convert text themselves. `name` is that in the
    configuration, "" for a plain URL.
    """

    scheme: str
    name: str = ""
    host: str = ""
    port: int = 0
    user: str = ""
    folder: str = ""
    query: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    passphrase: str = field(default="", repr=False)
    host_key: str = ""
    timeouts: Timeouts = field(default_factory=Timeouts)
    endpoint: str = ""
    region: str = ""
    key_id: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    ca: str | None = field(default=None, repr=False)
    tls: Tls = ""
    mode: Mode = "binary"
    redirects: tuple[str, ...] = ()
    line_ends: LineEnds = "lf"

    @property
    def shown(self) -> str:
        """The endpoint in messages: its name or its URL, without user and query."""
        if self.name:
            return f"{REFERENCE}{self.name}"
        if self.scheme in LOCAL:
            return f"{self.scheme}:{self.folder}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS.get(self.scheme, 0) else f":{self.port}"
        # A folder below the one after the login is written as in a URL.
        login = "/~/" if self.scheme in ("sftp", "ftp", "ftps") else "/"
        folder = self.folder if self.folder.startswith("/") or not self.folder else f"{login}{self.folder}"
        return f"{self.scheme}://{host}{port}{folder}"

    def below(self, folder: str) -> "Target":
        """Return the same endpoint with a folder below its own; `folder` is decoded. BadName."""
        steps = _steps(folder)
        if self.scheme in WEB:
            steps = tuple(quote(step, safe="", errors="surrogateescape") for step in steps)
        joined = "/".join(steps)
        if not joined:
            return self
        return replace(self, folder=f"{self.folder.rstrip('/')}/{joined}" if self.folder else joined)


def target_of(values: Mapping[str, Any]) -> Target:
    """Return the target of what `dataclasses.asdict` made of one."""
    given = {"timeouts": Timeouts(**values["timeouts"]), "redirects": tuple(values.get("redirects", ()))}
    return Target(**{**values, **given})


def parse_url(url: str) -> Target:
    """Return the target of a URL without its secrets; BadName for what is no URL of an endpoint."""
    scheme, colon, rest = url.partition(":")
    if not colon or scheme not in (*LOCAL, *NETWORK):
        raise BadName(f"the URL begins with none of {', '.join(f'{one}:' for one in (*LOCAL, *NETWORK))}")
    return _local(scheme, rest) if scheme in LOCAL else _network(scheme, url)


def without_query(url: str) -> str:
    """Return a URL for answers, events and logs: the query of one of `http:` or `https:` may hold a secret."""
    return url.partition("?")[0] if url.partition(":")[0] in WEB else url


def _local(scheme: str, text: str) -> Target:
    if text.startswith("//"):
        text = text.removeprefix("//")
        if not text.startswith("/"):
            raise BadName(f"a {scheme}: URL names no host")
    absolute = "/" if text.startswith("/") else ""
    folder = decoded(text)
    try:
        folder.encode()
    except UnicodeEncodeError as error:
        raise BadName(f"a {scheme}: URL's escapes are not UTF-8") from error
    return Target(scheme=scheme, folder=absolute + "/".join(_steps(folder)))


def _network(scheme: str, url: str) -> Target:
    if not url.startswith(f"{scheme}://") or _BLANK.search(url):
        raise BadName(f"is no URL of the form {scheme}://host/path")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise BadName("the URL's host or port cannot be read") from error
    if not _HOST.fullmatch(host) or port == 0:
        raise BadName("the URL's host or port cannot be read")
    if parts.password is not None:
        raise BadName("a URL holds no password; it is given by reference, as password: {env: NAME}")
    if "#" in url or ("?" in url and scheme not in WEB):
        raise BadName("a path's ? and # are written as %3F and %23")
    user = decoded(parts.username or "")
    if scheme == "s3":
        if port is not None or user or not _BUCKET.fullmatch(host):
            raise BadName("an S3 URL has the form s3://bucket/folder")
        return Target(scheme=scheme, host=host, folder="/".join(_steps(decoded(parts.path))))
    implicit = scheme == "ftps" and port == _IMPLICIT_PORT
    tls: Tls = "implicit" if implicit else "explicit" if scheme == "ftps" else ""
    path = parts.path or "/" if scheme in WEB else _remote_folder(parts.path)
    port = PORTS[scheme] if port is None else port
    return Target(scheme=scheme, host=host, port=port, user=user, folder=path, query=parts.query, tls=tls)


def _remote_folder(path: str) -> str:
    """Return the folder of a path: absolute, or relative to the folder after the login for `/~/folder` and ""."""
    folder = decoded(path)
    if folder == "/~" or folder.startswith("/~/"):
        return "/".join(_steps(folder.removeprefix("/~")))
    return f"/{'/'.join(_steps(folder))}" if folder else ""


def _steps(folder: str) -> tuple[str, ...]:
    return tuple(check_name(step) for step in folder.split("/") if step)


def decoded(text: str) -> str:
    """Return a URL's text with its escapes decoded (`surrogateescape`)."""
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def problems_of(target: Target) -> list[str]:
    """Return what a target lacks to be opened, each problem with the key that it is about."""
    check = _CHECKS.get(target.scheme)
    return [] if check is None else check(target)


def _sftp_problems(target: Target) -> list[str]:
    found = []
    if not target.user:
        found.append("url: names no user, as sftp://user@host/folder")
    if bool(target.password) == bool(target.key):
        found.append("key: either a key or a password is needed")
    if target.passphrase and not target.key:
        found.append("passphrase: is that of a key, and there is none")
    if not target.host_key:
        found.append("host_key: is needed; `crossdock endpoint check` shows the server's")
    return found


def _password_problems(target: Target) -> list[str]:
    if bool(target.user) == bool(target.password):
        return []
    return ["url: names no user for the password"] if target.password else ["password: is needed for the user"]


def _s3_problems(target: Target) -> list[str]:
    found = [f"{key}: is needed" for key in ("key_id", "secret") if not getattr(target, key)]
    if target.endpoint:
        try:
            base = parse_url(target.endpoint)
        except BadName:
            return [*found, "endpoint: is no URL"]
        if base.scheme not in WEB or base.user or base.query:
            found.append("endpoint: is the http: or https: URL of the service")
    return found


_CHECKS: Final[Mapping[str, Callable[[Target], list[str]]]] = {
    "sftp": _sftp_problems,
    "ftp": _password_problems,
    "ftps": _password_problems,
    "s3": _s3_problems,
    "http": _password_problems,
    "https": _password_problems,
}
