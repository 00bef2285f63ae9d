"""HTTP calls, as requests ask for them, and how they went (4.F)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

from mqmft_svc.domain.call_secrets import without_secrets

# The calls of a transfer, in the order in which they are made; the first two come before its first byte.
BEFORE: Final = ("preSourceCall", "preDestinationCall")
AFTER: Final = ("postDestinationCall", "postSourceCall")

# The most characters of an answer that are kept (232).
ANSWER_LENGTH: Final = 1000
_WITHOUT_BODY: Final = ("GET", "HEAD")

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
Outcome = Literal["", "success", "failure"]


def shown_url(url: str) -> str:
    """Return the part of a URL that holds no secret: scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"


@dataclass(frozen=True, kw_only=True)
class CallRequest:
    """An HTTP request that is to be made, and made again up to `retry_count` times while it fails.

    URL and headers may hold secrets, and are not shown. `timeout_s` is the limit of each try as a whole.
    `success_codes` are ranges of statuses, both ends included.
    """

    url: str = field(repr=False)
    method: Method = "POST"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    retry_count: int = 0
    retry_wait_s: int = 5
    timeout_s: int = 30
    success_codes: tuple[tuple[int, int], ...] = ((200, 299),)

    def to_json(self) -> dict[str, Any]:
        """Return plain data, of which `from_json` makes the same request."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the request of plain data."""
        return cls(**{**value, "success_codes": tuple((least, most) for least, most in value["success_codes"])})

    @property
    def name(self) -> str:
        """The part of the URL that holds no secret: scheme, host and port."""
        return shown_url(self.url)

    @property
    def host(self) -> str:
        """The host of the URL, without brackets."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The port of the URL."""
        parts = urlsplit(self.url)
        return parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def has_body(self) -> bool:
        """Whether a request of this method has a body."""
        return self.method not in _WITHOUT_BODY

    def is_success(self, status: int) -> bool:
        """Return whether an answer of this status is a success."""
        return any(least <= status <= most for least, most in self.success_codes)

    def without_secrets(self, text: str, *, is_cut: bool = False) -> str:
        """Return a text of the far side, such as an echo, without the secrets of URL and headers."""
        return without_secrets(text, self.url, self.headers, is_cut=is_cut)


@dataclass(frozen=True, kw_only=True)
class Try:
    """How one try of a call went: its status, 0 without an answer, and the begin of the answer.

    `reason` says why it failed, "" for a success. `is_final` says that no later try would go better.
    """

    status: int = 0
    reason: str = ""
    answer: str = ""
    is_final: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return plain data, of which `from_json` makes the same."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the try of plain data."""
        return cls(**value)


@dataclass(frozen=True, kw_only=True)
class CallState:
    """How far a call is: the number of tries that have ended, and how the last one went.

    `outcome` is "" while another try may follow.
    """

    tries: int = 0
    outcome: Outcome = ""
    last: Try = field(default_factory=Try)

    def after(self, call: CallRequest, tried: Try) -> Self:
        """Return the state after another try."""
        tries = self.tries + 1
        outcome: Outcome = "success"
        if tried.reason:
            outcome = "failure" if tried.is_final or tries > call.retry_count else ""
        return type(self)(tries=tries, outcome=outcome, last=tried)

    def to_json(self) -> dict[str, Any]:
        """Return plain data, of which `from_json` makes the same state."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the state of plain data."""
        return cls(**{**value, "last": Try.from_json(value["last"])})
