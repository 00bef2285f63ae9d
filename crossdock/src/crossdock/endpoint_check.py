"""List the configured endpoints, and say of one whether it can be reached and what its far side can do."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from crossdock.ends import Ends, name_of, read_document
from mft_common.config import Reader
from mft_common.endpoints.contract import Endpoint, Features
from mft_common.endpoints.errors import BadName, NotFound, TransferError, reason_of
from mft_common.endpoints.names import Patterns, printable
from mft_common.endpoints.section import read_targets
from mft_common.endpoints.targets import REFERENCE, Target, parse_url, without_query
from mft_common.errors import ConfigError

FINE: Final = 0
PROBLEM: Final = 1
_SHOWN: Final = 5
_LISTED: Final = 1000
# Of each feature: what it means where the far side has it, and what its absence costs.
_MEANINGS: Final[Mapping[str, tuple[str, str]]] = {
    "listing": ("files are found by patterns", "no listing: each file is named in full"),
    "writing": ("files are written", "files are read only"),
    "resume_read": ("a broken download goes on where it stopped", "a broken download begins anew"),
    "resume_write": ("a broken upload goes on where it stopped", "a broken upload begins anew"),
    "atomic_replace": (
        "a file is replaced in one step",
        "replacing takes two steps: for a moment a reader may find no file of that name",
    ),
    "exclusive_create": (
        "of two that create one name, one fails",
        "two that create one name at once may both succeed: the last one wins",
    ),
    "visible_at_commit": (
        "nobody can list an unfinished file",
        "unfinished files can be listed, as .NAME.TOKEN.part",
    ),
    "exact_deletion": (
        "a deletion removes the listed version alone, whatever takes its name meanwhile",
        "a file that takes the name of a source in the very moment of its deletion may be lost",
    ),
    "finds_unfinished": (
        "what a crash leaves is found by the token of its work",
        "what a crash leaves is removed by its name, which is stored before",
    ),
    "modified_at": (
        "times of change can be trusted",
        "times of change are unknown or not to be trusted: `min_age` waits by this hub's clock",
    ),
    "keeps_modified_at": ("a copy keeps the source's time", "a copy gets the time of its writing"),
    "recursive": ("folders below are listed", "only the folder itself is listed"),
    "folders": ("missing folders are made", "there are no folders to make"),
    "renaming": ("files can be renamed", "files cannot be renamed"),
    "deleting": ("files can be deleted", "files cannot be deleted: a source stays"),
}


# The same for kinds of which another sentence is true.
_SERVERS_AFFAIR: Final[Mapping[str, str]] = {
    "atomic_replace": "the server decides whether a reader may see half of a new file",
    "visible_at_commit": "the server decides whether an unfinished file can be seen",
    "recursive": "there is no listing",
    "folders": "folders are the server's affair",
    "checksums": "the server's file is compared by its size alone",
    "exact_deletion": "nothing is deleted",
}
_FTP: Final[Mapping[str, str]] = {
    "atomic_replace": "most servers replace in one step; at others a reader may find no file for a moment",
    "exact_deletion": "most servers rename in one step; at others a file that takes the name of a source in the very "
    "moment of its deletion may be lost",
}
_COSTS: Final[Mapping[str, Mapping[str, str]]] = {
    "http": _SERVERS_AFFAIR,
    "https": _SERVERS_AFFAIR,
    "ftp": _FTP,
    "ftps": _FTP,
    "s3": {
        "checksums": "the store checks an MD5 of each part; no SHA-256 is compared",
        "exact_deletion": "a store that obeys `If-Match` deletes the listed version alone; at others an object that "
        "takes its name in the very moment of the deletion is lost",
    },
}
# A file that is asked for where nothing can be listed: its absence is the answer of a server that can be used.
_ASKED_FOR: Final = "crossdock-endpoint-check"


@dataclass
class Findings:
    """The findings of a check; `problem` is empty where the endpoint can be used."""

    endpoint: str
    url: str
    problem: str = ""
    host_keys: list[dict[str, Any]] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)
    features: dict[str, Any] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    more_files: bool = False
    kind: str = ""

    @property
    def exit_code(self) -> int:
        """0 where the endpoint can be used, else 1."""
        return PROBLEM if self.problem else FINE

    def as_json(self) -> dict[str, Any]:
        """Return the findings as one JSON object."""
        return {**self.__dict__, "exit_code": self.exit_code}

    def cost(self, feature: str, usual: str) -> str:
        """Return what the absence of a feature costs at this kind of endpoint."""
        return _COSTS.get(self.kind, {}).get(feature, usual)


def listed(config: Path | None) -> Iterator[tuple[str, str, str]]:
    """Yield name, kind and URL of each configured endpoint, without users, secrets and queries."""
    document, _ = read_document(config, Path(), {})
    for name, entry in (document.get("endpoints") or {}).items():
        url = entry.get("url") if isinstance(entry, Mapping) else None
        try:
            target = parse_url(str(url))
        except BadName as error:
            yield str(name), "?", str(error)
        else:
            yield str(name), target.scheme, target.shown


def check(name: str, config: Path | None, data: Path, environ: Mapping[str, str]) -> Findings:
    """Connect to an endpoint (a name, or a URL), list it, and return what was found; ConfigError for a bad entry."""
    url = name if ":" in name else f"{REFERENCE}{name}"
    document, reader = read_document(config, data, environ)
    entry = (document.get("endpoints") or {}).get(name_of(url))
    if name_of(url) and entry is None:
        raise ConfigError([f"endpoints: there is no endpoint {name_of(url)}"])
    target = None if entry is None else _unpinned(name_of(url), entry, reader)
    if target is not None:
        return _not_pinned(url, target)
    ends = Ends.read(config, data, environ, url)
    target = ends.find(url)
    findings = Findings(without_query(url), replace(target, name="").shown, kind=target.scheme)
    try:
        if target.scheme == "sftp":
            _add_host_keys(findings, target)
        with ends.open(url) as endpoint:
            if not endpoint.features.listing:
                # Some kinds send nothing before the first question.
                with suppress(NotFound):
                    endpoint.stat(_ASKED_FOR)
            findings.features = _features(endpoint.features)
            _add_files(findings, endpoint)
    except TransferError as error:
        findings.problem = reason_of(error).removeprefix(f"{_ASKED_FOR}: ")
        _advise(findings, target)
    return findings


def _unpinned(name: str, entry: Any, reader: Reader) -> Target | None:
    """Return the target of an SFTP endpoint that has no host key yet; None for all others."""
    if not isinstance(entry, Mapping) or "host_key" in entry or not str(entry.get("url")).startswith("sftp:"):
        return None
    secrets = Reader(reader.folder, reader.environ)
    # A key that no server has, so that everything else of the entry is checked.
    placeholder = {**entry, "host_key": f"SHA256:{'A' * 43}"}
    target = read_targets({name: placeholder}, secrets).get(name)
    secrets.check()
    return target


def _not_pinned(url: str, target: Target) -> Findings:
    findings = Findings(url, replace(target, name="").shown, "the server's host key is not pinned yet")
    try:
        _add_host_keys(findings, replace(target, host_key=""))
    except TransferError as error:
        findings.problem = reason_of(error)
        return findings
    if findings.host_keys:
        first = findings.host_keys[0]
        findings.advice = [
            "Compare the fingerprint with the one that the server's operator names, then write into crossdock.yaml:",
            "endpoints:",
            f"  {target.name}:",
            f'    host_key: "{first["fingerprint"]}"  # {first["type"]}',
        ]
    return findings


def _add_host_keys(findings: Findings, target: Target) -> None:
    # Imported here: asyncssh takes a third of a second, and is for SFTP alone.
    from mft_common.endpoints.sftp.connection import fetch_host_keys
    from mft_common.endpoints.sftp.host_keys import read_pin

    pin = read_pin(target.host_key) if target.host_key else None
    findings.host_keys = [
        {"type": key.kind, "fingerprint": key.fingerprint, "pinned": pin is not None and pin.accepts(key)}
        for key in fetch_host_keys(target)
    ]


def _advise(findings: Findings, target: Target) -> None:
    keys = findings.host_keys
    if keys and not any(key["pinned"] for key in keys):
        findings.advice = [
            "The pinned host_key is none of the server's. Somebody may be between you and the server: ask its operator",
            "whether the key was changed, and compare the fingerprint, before you pin another one.",
        ]
    elif target.scheme in {"ftps", "https", "s3"} and "certificate" in findings.problem:
        findings.advice = [
            "Where the server's certificate is of an authority of your own, name that authority's PEM file as `ca:`."
        ]


def _features(features: Features) -> dict[str, Any]:
    found: dict[str, Any] = {name: getattr(features, name) for name in _MEANINGS}
    return {**found, "checksums": list(features.checksums), "at_once": features.at_once}


def _add_files(findings: Findings, endpoint: Endpoint) -> None:
    if not endpoint.features.listing:
        return
    names = [printable(entry.path) for entry in islice(endpoint.list(Patterns(("*",))), _LISTED + 1)]
    findings.files, findings.more_files = names[:_LISTED], len(names) > _LISTED


def print_findings(findings: Findings, say: Callable[[str], None]) -> None:
    """Print what a check found for people."""
    say(f"{findings.endpoint}: {findings.url}")
    for key in findings.host_keys:
        say(f"  host key {key['fingerprint']} ({key['type']}){'  <- pinned' if key['pinned'] else ''}")
    if findings.features:
        say("  connected")
        for name, meanings in _MEANINGS.items():
            can = bool(findings.features[name])
            meaning = meanings[0] if can else findings.cost(name, meanings[1])
            say(f"  {'yes' if can else 'no ':3} {name:18} {meaning}")
        checksums = findings.features["checksums"]
        back = findings.cost("checksums", "verifying sha256 reads the file back")
        costs = f"the far side computes {', '.join(checksums)}" if checksums else back
        say(f"  {'yes' if checksums else 'no ':3} {'checksums':18} {costs}")
        say(f"      {'at_once':18} up to {findings.features['at_once']} file(s) at the same time over one connection")
    if findings.features.get("listing") and not findings.problem:
        count = len(findings.files)
        say(f"  {'more than ' if findings.more_files else ''}{count} file(s) in the folder{':' if count else ''}")
        for name in findings.files[:_SHOWN]:
            say(f"    {name}")
    if findings.problem:
        say(f"  problem: {findings.problem}")
    for line in findings.advice:
        say(f"  {line}")
