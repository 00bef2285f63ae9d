"""Validate the calls of requests (4.F), and the body of `POST call` (191)."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields, post_load, pre_load, validate, validates

from mqmft_svc.domain.calls import CallRequest
from mqmft_svc.domain.managed_calls import CallSubmission
from mqmft_svc.schemas.bodies import AgentSchema, JobSchema, load, user_properties
from mqmft_svc.schemas.fields import MISSING, NO_OBJECT, Strict, Text, Whole, between, long, nested, some

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# Of IBM's, which would run a program of the hub's host (191).
_PROGRAMS: Final = ("executable", "antScript", "jcl")
_URL: Final = re.compile(r"[!-\[\]-~]+", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+", re.ASCII)
_LONGEST_URL: Final = 2048
_CODES: Final = re.compile(r"[1-5][0-9][0-9](?:-[1-5][0-9][0-9])?(?:,[1-5][0-9][0-9](?:-[1-5][0-9][0-9])?)*", re.ASCII)
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}", re.ASCII)
_HEADER_VALUE: Final = re.compile(r"(?:[!-~](?:[ \t!-~]*[!-~])?)?", re.ASCII)
_MOST_HEADERS: Final = 50
# The message and its connection are the hub's, and so is the mark by which a repeated call is known.
_OWN_HEADERS: Final = (
    *("connection", "content-length", "expect", "host", "idempotency-key", "keep-alive", "te", "trailer"),
    *("transfer-encoding", "upgrade", "accept-encoding", "proxy-authorization", "proxy-connection"),
)


def _check_url(url: str) -> None:
    """Refuse what is no URL of a web server; no reason repeats it, because it may hold a secret."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValidationError("it is no URL.") from error
    if parts.scheme not in ("http", "https") or not _URL.fullmatch(url) or not _HOST.fullmatch(host) or port == 0:
        raise ValidationError("it is no http: or https: URL in ASCII.")
    if "@" in parts.netloc:
        raise ValidationError("it must not name a user: send a header.")
    if "#" in url:
        raise ValidationError("it must not have a fragment.")


def _check_headers(headers: Mapping[str, str]) -> None:
    if len(headers) > _MOST_HEADERS:
        raise ValidationError(f"there must be {_MOST_HEADERS} at most.")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValidationError("a name comes twice.")
    for name, value in headers.items():
        if not _HEADER.fullmatch(name):
            raise ValidationError("a name of a header has other characters than a token.")
        if name.lower() in _OWN_HEADERS:
            raise ValidationError(f"{name} is set by the hub.")
        if not _HEADER_VALUE.fullmatch(value):
            raise ValidationError(f"the value of {name} is no text in ASCII without blanks around it.")


def _ranges(text: str) -> tuple[tuple[int, int], ...]:
    ends = [[int(end) for end in part.split("-")] for part in text.split(",")]
    return tuple((end[0], end[-1]) for end in ends)


class CallSchema(Strict):
    """A call: `{"type": "http", "url": ...}` and how it is made (232)."""

    type = Text(validate=some("http"))
    url = Text(required=True, error_messages={"required": MISSING}, validate=long(_LONGEST_URL))
    method = Text(validate=some(*_METHODS))
    headers = fields.Dict(
        keys=Text(), values=Text(validate=validate.Length(max=4096, error="it must have 4096 characters at most.")),
        validate=_check_headers, error_messages={"invalid": NO_OBJECT},
    )  # fmt: skip
    retry_count = Whole(data_key="retryCount", validate=between(0, 100))
    retry_wait_s = Whole(data_key="retryWait", validate=between(0, 3600))
    timeout_s = Whole(data_key="timeout", validate=between(1, 600))
    success_codes = Text(data_key="successCodes", validate=long(256))

    @pre_load
    def _refuse_programs(self, data: Any, **_kwargs: Any) -> Any:
        """Name the type first: a call of a program has attributes that a call of a web server has not."""
        if isinstance(data, dict) and data.get("type") in _PROGRAMS:
            raise ValidationError("only http calls are made: nothing on the host of the hub is executed.", "type")
        return data

    @validates("url")
    def _validate_url(self, value: str, **_kwargs: Any) -> None:
        _check_url(value)

    @validates("success_codes")
    def _validate_codes(self, value: str, **_kwargs: Any) -> None:
        if not _CODES.fullmatch(value) or any(least > most for least, most in _ranges(value)):
            raise ValidationError("it must be a list of statuses and their ranges, such as 200-299,304.")

    @post_load
    def _made(self, loaded: dict[str, Any], **_kwargs: Any) -> CallRequest:
        loaded.pop("type", None)
        if "success_codes" in loaded:
            loaded["success_codes"] = _ranges(loaded["success_codes"])
        return CallRequest(**loaded)


class _CallSubmissionSchema(Strict):
    agent = nested(AgentSchema)
    call = nested(CallSchema)
    job = fields.Nested(JobSchema)
    user_properties = user_properties()

    @post_load
    def _made(self, loaded: dict[str, Any], **_kwargs: Any) -> CallSubmission:
        job_name = loaded.pop("job", {}).get("name", "")
        return CallSubmission(**loaded, job_name=job_name)


_SCHEMA: Final = _CallSubmissionSchema()


def call_submission(body: Mapping[str, Any]) -> CallSubmission:
    """Return the call that a body asks for; BodyInvalid names the path of the attribute that is wrong (191)."""
    loaded: CallSubmission = load(_SCHEMA, body)
    return loaded
