"""Open and close sessions: hostOpenSession, hostCloseSession (section 2)."""

from typing import Final

from mft_common import logs
from mft_common.directory import Account, Challenge, Directory, Opened, Trusted
from mft_common.directory import Denied as DirectoryDenied
from mft_common.identity import Identity
from sertainty_svc import SERVICE
from sertainty_svc.errors import Denied
from sertainty_svc.operations.calls import Call, Family, succeeded
from sertainty_svc.operations.context import Context
from sertainty_svc.schemas.arguments import opening
from sertainty_svc.store.logs import Level, append_to_agent
from sertainty_svc.wire import CHALLENGED, MESSAGES, Reply, Request, Result, decode_text

_IDLE_S: Final = 900.0
_ABSOLUTE_S: Final = 12 * 3600.0
_SESSIONS_PER_ACCOUNT: Final = 100
# A name that a caller sends may be as long as a request.
_LONGEST_USER: Final = 255


class Sessions:
    """The functions of sessions, over the gateway's directory."""

    def __init__(self, context: Context, directory: Directory) -> None:
        self._context = context
        self._directory = directory
        self._log = logs.get("operations")

    @property
    def functions(self) -> Family:
        """The functions that come with a session or need none; `host_open_session` is called apart."""
        return {"hostCloseSession": self.host_close_session}

    def host_open_session(self, request: Request, identity: Identity) -> Reply:
        """Open a session for a trusted account or for right answers, or send the prompts (section 2)."""
        arguments = enumerate(request.arguments, 1)
        texts = [(one.name, decode_text(one.content, f"argument {place}")) for place, one in arguments]
        user, answers = opening(texts)
        found: Account | Trusted | Challenge | DirectoryDenied
        if answers:
            found = self._directory.verify_prompts(user, answers, identity.address)
        else:
            found = self._directory.prompts(user, identity.address)
        if isinstance(found, DirectoryDenied):
            self._record("session.denied", "A session was denied.", user, identity)
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
            text = "A session was denied: the account has as many sessions as it may have."
            self._record("session.denied", text, user, identity)
            raise Denied("the account has as many sessions as it may have")
        try:
            self._record("session.granted", "A session was granted.", user, identity)
        except Exception:
            # Its caller gets no session id; it would count until it has been idle for its time.
            self._directory.close_token(SERVICE, opened.token)
            raise
        return succeeded(opened.token)

    def host_close_session(self, call: Call) -> Reply:
        """Close a session at once (21)."""
        assert call.caller is not None
        if not self._directory.close_token(SERVICE, call.caller.token):
            raise Denied("there is no such session")
        return succeeded()

    def _record(self, event: str, text: str, user: str, identity: Identity) -> None:
        """Write a granted or denied session to the service's log and to the agent's (74)."""
        self._log.info(event, user=user, address=identity.address)
        level: Level = "Warning" if event == "session.denied" else "Info"
        shown = user if len(user) <= _LONGEST_USER else f"{user[:_LONGEST_USER]}..."
        with self._context.database.write() as connection:
            append_to_agent(
                connection, self._context.now(), event, text, level=level, user=shown, address=identity.address or ""
            )
