"""Check the section `http_mft` of crossdock.yaml, the grants of accounts, and the queries of listings."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from filestore_svc.domain.files import FIXED, RIGHTS, Right
from filestore_svc.domain.limits import NO_LIMITS, Limits, Retention
from filestore_svc.domain.listing import (
    DEFAULT_LIMIT,
    KINDS,
    LARGEST_FOLDER_PAGE,
    LARGEST_LIMIT,
    SORTS,
    FolderPage,
    Page,
    Selection,
)
from filestore_svc.domain.paths import canonical
from filestore_svc.domain.scanning import Method, Scan, ScannerPlace
from filestore_svc.domain.wildcards import listing_filter, shell_pattern
from filestore_svc.errors import BadSyntax
from mft_common import config
from mft_common.errors import ConfigError

SECTIONS: Final[config.Sections] = {"http_mft": dict}
_WHOLE: Final = re.compile(r"[0-9]+")
_LARGEST_START: Final = 1 << 53


@dataclass(frozen=True, kw_only=True)
class Sessions:
    """How long a session lives, in seconds, and which attributes are added to the vendor's cookie lines.

    `secure` adds `Secure` on the plain port too, for a hub behind a proxy that does not forward the scheme.
    """

    idle: float = 1800.0
    absolute: float = 43_200.0
    secure: bool = False
    same_site: str | None = None

    def cookie_suffix(self, scheme: str) -> str:
        """Return what follows `HttpOnly`: by default nothing on plain HTTP, where the vendor's line is exact (S32)."""
        secure = ";Secure" if self.secure or scheme == "https" else ""
        return secure + (f";SameSite={self.same_site}" if self.same_site else "")


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """The section `http_mft`, checked. `folders`: path -> own access list, None where it inherits."""

    contracts: frozenset[str] = frozenset()
    folders: Mapping[str, Mapping[str, Sequence[Right]] | None]
    sessions: Sessions = Sessions()
    on_conflict: str = "replace"
    origins: frozenset[str] = frozenset()
    timestamps_everywhere: bool = False
    show_owner: bool = False
    keep_metadata: bool = False
    raw_put: bool = False
    # Only for the challenge and the OpenAPI document: the gateway resolves the credentials.
    basic_auth: bool = False
    limits: Limits = NO_LIMITS
    scan: Scan | None = None
    # The life of an unfinished resumable upload after its last byte, in seconds.
    uploads_expire: float = 86_400.0


class _Strict(Schema):
    class Meta:
        """Unknown keys are errors of the configuration, reported at the start."""

        unknown = RAISE


class _SessionsSchema(_Strict):
    idle = config.Duration()
    absolute = config.Duration()
    secure = fields.Boolean(truthy={True}, falsy={False})
    same_site = fields.String(allow_none=True, validate=validate.OneOf(("Strict", "Lax", "None")))


class _RetentionSchema(_Strict):
    after_put = config.Duration(allow_none=True)
    after_get = config.Duration(allow_none=True)


class _FolderSchema(_Strict):
    access = fields.Dict(
        keys=fields.String(), values=fields.List(fields.String(validate=validate.OneOf(RIGHTS))), allow_none=True
    )
    retention = fields.Nested(_RetentionSchema, allow_none=True)
    quota = config.Size(allow_none=True)


class _UploadsSchema(_Strict):
    expire = config.Duration()


class _Place(fields.Field[ScannerPlace]):
    """The URL of a scanner's service."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> ScannerPlace:
        try:
            return ScannerPlace.of(value if isinstance(value, str) else "")
        except ValueError as error:
            raise ValidationError(str(error)) from error


class _ScanSchema(_Strict):
    url = _Place(required=True, attribute="place")
    method = fields.String(allow_none=True, validate=validate.OneOf(("reqmod", "respmod")))
    on_failure = fields.String(validate=validate.OneOf(("refuse", "accept")))
    timeout = config.Duration(validate=validate.Range(min=1.0))
    max_size = config.Size(allow_none=True)
    on_large = fields.String(validate=validate.OneOf(("refuse", "accept")))
    folders = fields.List(fields.String(), allow_none=True)


class _ContractSchema(_Strict):
    """A contract has no settings yet."""


class _SectionSchema(_Strict):
    contracts = fields.Dict(
        keys=fields.String(validate=validate.Length(min=1)), values=fields.Nested(_ContractSchema, allow_none=True)
    )
    folders = fields.Dict(keys=fields.String(), values=fields.Nested(_FolderSchema, allow_none=True))
    sessions = fields.Nested(_SessionsSchema)
    on_conflict = fields.String(validate=validate.OneOf(("replace", "reject")))
    origins = fields.List(fields.Url(require_tld=False, schemes={"http", "https"}))
    timestamps_everywhere = fields.Boolean(truthy={True}, falsy={False})
    show_owner = fields.Boolean(truthy={True}, falsy={False})
    keep_metadata = fields.Boolean(truthy={True}, falsy={False})
    raw_put = fields.Boolean(truthy={True}, falsy={False})
    basic_auth = fields.Boolean(truthy={True}, falsy={False})
    max_file_size = config.Size(allow_none=True)
    uploads = fields.Nested(_UploadsSchema)
    scan = fields.Nested(_ScanSchema, allow_none=True)

    @validates_schema
    def _paths(self, data: dict[str, Any], **_kwargs: Any) -> None:
        wrong = {path: ["is no absolute path of a folder"] for path in data.get("folders", {}) if not _is_folder(path)}
        if wrong:
            raise ValidationError({"folders": wrong})

    @validates_schema
    def _scanned(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """Refuse folders that are not declared: a misspelt one would leave the intended one unscanned."""
        declared = tuple(data.get("folders", {}))
        wrong = {
            place: ["is no folder of http_mft.folders, nor below one"]
            for place, path in enumerate((data.get("scan") or {}).get("folders") or ())
            if not _is_folder(path) or not any(f"{path}/".startswith(f"{each}/") for each in declared)
        }
        if wrong:
            raise ValidationError({"scan": {"folders": wrong}})


class _GrantSchema(_Strict):
    """An account's grant: `{contract: NAME, quota: SIZE}`, or nothing (http-mft.md 1, S19)."""

    contract = fields.String(validate=validate.Length(min=1))
    quota = config.Size(allow_none=True)


def _account_quotas(accounts: Any, contracts: Collection[str], problems: list[str]) -> dict[str, int]:
    """Return the quotas of the accounts' grants, and add the problems of the grants to `problems`.

    The gateway checks all else of an account.
    """
    found: dict[str, int] = {}
    for name, account in accounts.items() if isinstance(accounts, Mapping) else ():
        grants = account.get("grants") if isinstance(account, Mapping) else None
        grant = grants.get("http_mft") if isinstance(grants, Mapping) else None
        path = f"accounts.{name}.grants.http_mft"
        try:
            checked = cast("dict[str, Any]", _GrantSchema().load(grant or {}))
        except ValidationError as error:
            problems += config.problems_of(error, path)
            continue
        contract = checked.get("contract")
        if contract is not None and contract not in contracts:
            problems.append(f"{path}.contract: http_mft.contracts has no {contract}")
        if checked.get("quota") is not None:
            found[name] = checked["quota"]
    return found


def _is_folder(path: str) -> bool:
    target = canonical(path.encode("utf-8", "surrogatepass"))
    usable = bool(target.pieces) and not target.refused and not target.folder
    return usable and path == f"/{target.text}"


def read_sections(document: Mapping[str, Any], _reader: config.Reader) -> Configuration:
    """Check the section `http_mft` and the grants for it; ConfigError names each problem by its path."""
    problems: list[str] = []
    loaded: dict[str, Any] = {}
    accounts: dict[str, int] = {}
    try:
        loaded = cast("dict[str, Any]", _SectionSchema().load(document.get("http_mft") or {}))
    except ValidationError as error:
        problems += config.problems_of(error, "http_mft")
    else:
        accounts = _account_quotas(document.get("accounts"), loaded.get("contracts", ()), problems)
    if problems:
        raise ConfigError(problems)
    switches = ("on_conflict", "timestamps_everywhere", "show_owner", "keep_metadata", "raw_put", "basic_auth")
    return Configuration(
        contracts=frozenset(loaded.get("contracts", ())),
        folders={path: (folder or {}).get("access") for path, folder in loaded.get("folders", {}).items()},
        sessions=Sessions(**loaded.get("sessions", {})),
        limits=_limits(loaded, accounts),
        uploads_expire=loaded.get("uploads", {}).get("expire", 86_400.0),
        scan=_scan(loaded.get("scan")),
        origins=frozenset(origin.rstrip("/") for origin in loaded.get("origins", ())),
        **{name: loaded[name] for name in switches if name in loaded},
    )


def _scan(loaded: Mapping[str, Any] | None) -> Scan | None:
    if not loaded:
        return None
    method = cast("Method | None", loaded["method"].upper() if loaded.get("method") else None)
    return Scan(**{**loaded, "method": method})


def _limits(loaded: Mapping[str, Any], accounts: Mapping[str, int]) -> Limits:
    folders = {path: folder or {} for path, folder in loaded.get("folders", {}).items()}
    retention = {path: folder["retention"] for path, folder in folders.items() if folder.get("retention") is not None}
    return Limits(
        retention={
            path: Retention(*(int((each.get(key) or 0) * 1000) for key in ("after_put", "after_get")))
            for path, each in retention.items()
        },
        quotas={path: folder["quota"] for path, folder in folders.items() if folder.get("quota") is not None},
        accounts=accounts,
        file=loaded.get("max_file_size"),
    )


def selection(query: Mapping[str, str]) -> Selection:
    """Read the selection of children; BadSyntax for an unknown type (D21)."""
    return Selection(
        kind=_word(query, "type", KINDS, "all"),
        pattern=listing_filter(query.get("filter", "")),
    )


def folder_page(query: Mapping[str, str]) -> FolderPage:
    """Read the page of a folder for another service; BadSyntax for a limit that is no number."""
    limit = _whole(query, "limit", LARGEST_FOLDER_PAGE, LARGEST_FOLDER_PAGE)
    return FolderPage(shell_pattern(query.get("pattern", "")), query.get("after", ""), limit)


def only_fileset(query: Mapping[str, str]) -> int | None:
    """Read the only fileset that another service wants to delete, None for any; BadSyntax."""
    text = query.get("fileset")
    if text is not None and not re.fullmatch(r"[0-9]{1,16}", text):
        raise BadSyntax
    return None if text is None else int(text)


# More than a file can have. A response holds each attribute for each of up to 10,000 elements.
_MOST_ATTRIBUTES: Final = 100


def page(query: Mapping[str, str]) -> Page:
    """Read the page of a listing; BadSyntax (84 to 90, D21)."""
    names = tuple(dict.fromkeys(name for part in query.get("attributes", "").split(",") if (name := part.strip())))
    if len(names) > _MOST_ATTRIBUTES:
        raise BadSyntax
    return Page(
        selection=selection(query),
        sort=_word(query, "sort", SORTS, "name"),
        descending=_word(query, "direction", ("desc", "asc"), "desc") == "desc",
        start=_whole(query, "start", 0, _LARGEST_START),
        limit=_whole(query, "limit", DEFAULT_LIMIT, LARGEST_LIMIT),
        attributes=names or FIXED,
    )


def _word(query: Mapping[str, str], name: str, allowed: Sequence[Any], default: str) -> Any:
    word = query.get(name, default).lower()
    if word not in allowed:
        raise BadSyntax
    return word


def _whole(query: Mapping[str, str], name: str, default: int, largest: int) -> int:
    text = query.get(name, str(default))
    if not _WHOLE.fullmatch(text):
        raise BadSyntax
    digits = text.lstrip("0") or "0"
    # A number with more digits is over every limit; Python refuses to read one with thousands of digits.
    return min(int(digits), largest) if len(digits) < 20 else largest
