"""Find the session of a call, wherever its function carries it, and check the caller's role (18 to 21, 29)."""

import re
from base64 import b64encode
from typing import Final

from mft_common.directory import Directory
from sertainty_svc import SERVICE
from sertainty_svc.domain.functions import Argument, Function, SessionPlace
from sertainty_svc.errors import Denied, InvalidRequest
from sertainty_svc.operations.calls import Caller
from sertainty_svc.wire import Request, decode_text

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class Authenticator:
    """Resolves sessions by the gateway's directory."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def authenticate(self, function: Function, request: Request) -> tuple[Caller | None, tuple[Argument, ...]]:
        """Return the caller, and the arguments, with the session among them where the function's table has it (18-21).

        The caller is None for functions without a session. Denied where there is no such session, or no right.
        """
        caller, arguments = self._find_caller(function, request)
        if caller is not None:
            _authorize(function, caller)
        return caller, arguments

    def _find_caller(self, function: Function, request: Request) -> tuple[Caller | None, tuple[Argument, ...]]:
        if function.session is SessionPlace.NONE:
            return None, request.arguments
        if function.session is SessionPlace.ELEMENT:
            return self._caller(request.session), request.arguments
        if function.name == "hostCloseSession":
            return self._session_to_close(request)
        return self._session_to_alter(request)

    def _session_to_close(self, request: Request) -> tuple[Caller, tuple[Argument, ...]]:
        if request.arguments:
            return self._caller_of(_session_argument(request.arguments)), request.arguments
        if request.session is None:
            raise InvalidRequest("the argument session-id is missing")
        return self._caller(request.session), (_as_argument(request.session),)

    def _session_to_alter(self, request: Request) -> tuple[Caller, tuple[Argument, ...]]:
        """Accept the three forms of `agentAlter`: two arguments, an element and the option, or all of them (20)."""
        arguments = request.arguments
        alone = len(arguments) == 1
        if request.session is None:
            if not arguments or (alone and arguments[0].name == "alter-option"):
                raise Denied("there is no session")
            # A single argument that is a session lacks the option, which the count tells; any other one is no session.
            return self._caller_of(_session_argument(arguments)), arguments
        caller = self._caller(request.session)
        if alone and arguments[0].name != "session-id":
            return caller, (_as_argument(request.session), Argument("alter-option", arguments[0].content))
        if len(arguments) > 1:
            other = self._caller_of(_session_argument(arguments))
            if other.token != caller.token:
                raise Denied("element and argument name two sessions")
        return caller, arguments

    def _caller_of(self, argument: Argument) -> Caller:
        return self._caller(decode_text(argument.content, "the argument session-id"))

    def _caller(self, session: str | None) -> Caller:
        token = _token(session or "")
        found = self._directory.find_session(SERVICE, token) if token else None
        if found is None:
            raise Denied("there is no such session")
        return Caller(token=token, account=found[1])


def _authorize(function: Function, caller: Caller) -> None:
    grant = caller.account.grant
    if grant is None or (grant.get("role", "full") != "full" and not function.reads_only):
        raise Denied(f"the account may not call {function.name}")


def _session_argument(arguments: tuple[Argument, ...]) -> Argument:
    """Return the argument that is named session-id, else the first one that is not named as another (7)."""
    named = [one for one in arguments if one.name == "session-id"]
    return (named or [one for one in arguments if one.name != "alter-option"] or list(arguments))[0]


def _as_argument(session: str) -> Argument:
    return Argument("session-id", b64encode(session.encode()).decode())


def _token(session: str) -> str:
    """Return a session's token, also where it came still encoded (19); empty where the text cannot be one."""
    if _TOKEN.fullmatch(session):
        return session
    try:
        text = decode_text(session, "the session")
    except InvalidRequest:
        return ""
    return text if _TOKEN.fullmatch(text) else ""
