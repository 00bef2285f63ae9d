"""Do what the protocol's functions ask for, after the checks that come before any of them (13)."""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mft_common import VERSION, clock, logs
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.directory import Account, Challenge, Directory, Opened, Trusted
from mft_common.directory import Denied as Refused
from mft_common.identity import Identity
from sertainty_svc import SERVICE, schemas, store, wire
from sertainty_svc.domain import (
    APPLICATION,
    AgentStatus,
    Argument,
    Function,
    Place,
    config_status,
    find_function,
)
from sertainty_svc.errors import AgentOffline, Denied, InvalidRequest, NotSupported
from sertainty_svc.wire import CHALLENGED, MESSAGES, SUCCESS, Reply, Request, Result, decode_text

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_IDLE_S: Final = 900.0
_ABSOLUTE_S: Final = 12 * 3600.0
_SESSIONS_PER_ACCOUNT: Final = 100


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who holds the session that a call came with; `token` is its secret."""

    token: str
    account: Account


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call that has passed all checks of its envelope; contents are texts, or bytes where the argument is binary."""

    identity: Identity
    caller: Caller | None
    arguments: Mapping[str, list[Any]]


class Operations:
    """One method for each function of the vendor that is built."""

    def __init__(self, database: Database, directory: Directory, *, now: Clock = clock.now_ms) -> None:
        self._database = database
        self._directory = directory
        self._now = now
        self._log = logs.get("operations")
        self._built: Mapping[str, Callable[[Call], Reply]] = {
            "agentGetStatus": self.agent_get_status,
            "agentPing": self.agent_ping,
            "hostCloseSession": self.host_close_session,
        }

    def call(self, request: Request, identity: Identity) -> Reply:
        """Check a request in the order of 13, and carry it out; every other end than success is raised as Outcome."""
        function = find_function(request.function)
        if function is None:
            raise InvalidRequest("there is no such function")
        if function.name == "hostOpenSession":
            return self.host_open_session(request, identity)
        caller, arguments = self._session(function, request)
        if caller is not None:
            self._authorize(function, caller)
        values = wire.decoded(schemas.placed(function, arguments))
        schemas.check_forms(function, values)
        built = self._built.get(function.name)
        if built is None:
            raise NotSupported(function.name)
        return built(Call(identity=identity, caller=caller, arguments=values))

    # Sessions

    def _session(self, function: Function, request: Request) -> tuple[Caller | None, tuple[Argument, ...]]:
        """Return who calls, and the arguments with the session among them where the function's table has it (18-21)."""
        if function.place is Place.NONE:
            return None, request.arguments
        if function.place is Place.ELEMENT:
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

    def _authorize(self, function: Function, caller: Caller) -> None:
        grant = caller.account.grant
        if grant is None or (grant.get("role", "full") != "full" and not function.reads_only):
            raise Denied(f"the account may not call {function.name}")

    def host_open_session(self, request: Request, identity: Identity) -> Reply:
        """Open a session for a trusted account or for right answers, or tell the prompts (section 2)."""
        arguments = enumerate(request.arguments, 1)
        texts = [(one.name, decode_text(one.content, f"argument {place}")) for place, one in arguments]
        user, answers = schemas.opening(texts)
        found: Account | Trusted | Challenge | Refused
        if answers:
            found = self._directory.verify_prompts(user, answers, identity.address)
        else:
            found = self._directory.prompts(user, identity.address)
        if isinstance(found, Refused):
            self._log.info("session.denied", user=user, address=identity.address)
            raise Denied("not let in", retry_after=found.retry_after)
        if isinstance(found, Challenge):
            prompts = [Result(text.encode(), f"prompt-{number}") for number, text in enumerate(found.prompts, 1)]
            return Reply(CHALLENGED, MESSAGES[CHALLENGED], prompts)
        account = found.account if isinstance(found, Trusted) else found
        opened = self._directory.open_session(
            service=SERVICE,
            account=account.name,
            address=identity.address,
            token_form="urlsafe",  # noqa: S106 -- a form is no password
            token_bytes=32,
            idle=_IDLE_S,
            absolute=_ABSOLUTE_S,
            account_limit=_SESSIONS_PER_ACCOUNT,
        )
        if not isinstance(opened, Opened):
            raise Denied("the account has as many sessions as it may have")
        self._log.info("session.granted", user=user, address=identity.address)
        return _success(opened.token)

    def host_close_session(self, call: Call) -> Reply:
        """Close a session at once (21)."""
        assert call.caller is not None
        if not self._directory.close_token(SERVICE, call.caller.token):
            raise Denied("there is no such session")
        return _success()

    # The agent

    def agent_ping(self, _call: Call) -> Reply:
        """Tell that the agent is there; AgentOffline where it is not (34)."""
        if self._status() is AgentStatus.OFFLINE:
            raise AgentOffline
        return _success()

    def agent_get_status(self, _call: Call) -> Reply:
        """Tell the agent's state, the application, and the active configuration: always six results (33)."""
        status = self._status()
        return _success(status, APPLICATION, VERSION, "", config_status(status, active=False), "Normal")

    def _status(self) -> AgentStatus:
        with self._database.read() as connection:
            return store.read_agent(connection).status(self._now())

    def note(self, event: str, subject: str) -> None:
        """Write down that another service told of something; no task waits for it yet."""
        self._log.debug("event.noted", type=event, subject=subject)

    def beat(self) -> None:
        """Note that this worker is there."""
        with self._database.write() as connection:
            store.beat(connection, self._now())


def _success(*results: str) -> Reply:
    shown = [Result(text.encode()) for text in results]
    return Reply(SUCCESS, MESSAGES[SUCCESS], shown or None)


def _session_argument(arguments: tuple[Argument, ...]) -> Argument:
    """Return the argument that is named session-id, else the first one that is not named as another (7)."""
    named = [one for one in arguments if one.name == "session-id"]
    return (named or [one for one in arguments if one.name != "alter-option"] or list(arguments))[0]


def _as_argument(session: str) -> Argument:
    return Argument("session-id", b64encode(session.encode()).decode())


def _token(session: str) -> str:
    """Return a session's token, also where it came still encoded (19); empty where it cannot be one."""
    if _TOKEN.fullmatch(session):
        return session
    try:
        text = decode_text(session, "the session")
    except InvalidRequest:
        return ""
    return text if _TOKEN.fullmatch(text) else ""
