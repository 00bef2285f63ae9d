"""Log in to an FTP server, learn what it can do, and send it commands one at a time."""

import contextlib
import ftplib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from mft_common.endpoints.errors import (
    AuthenticationFailed,
    BadName,
    Denied,
    NotFound,
    TransferError,
    Transient,
    UntrustedServer,
)
from mft_common.endpoints.ftp import replies
from mft_common.endpoints.ftp.client import Client
from mft_common.endpoints.ftp.data import Data
from mft_common.endpoints.ftp.lines import Line, number_of, parse_facts, parse_time, version_of
from mft_common.endpoints.targets import Mode, Target

_FACTS: Final = ("type", "size", "modify", "unique")
_DIGEST: Final = re.compile(r"\b[0-9A-Fa-f]{64}\b")


class Session:
    """One control connection that is logged in.

    `usable` is False once an answer may be left unread or the connection is gone; then it is closed. `offers` are the
    names of FEAT, `facts` those of MLST, both in lower case; `home` is the folder after the login.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._client = Client(target)
        self._type = ""
        self.usable = True
        self.used_at = time.monotonic()
        self.offers: dict[str, str] = {}
        self.facts: tuple[str, ...] = ()
        self.home = ""
        try:
            self._connect()
            self._learn()
        except BaseException:
            self.drop()
            raise

    def _connect(self) -> None:
        name = self._target.shown
        try:
            self._client.open()
        except replies.Reply as error:
            if replies.code_of(error)[0] == "5" and self._target.tls:
                raise UntrustedServer(f"{name}: the server refuses TLS ({replies.answer(str(error))})") from error
            raise replies.of_reply(error, name) from error
        except (OSError, EOFError, ftplib.Error) as error:
            raise replies.of_failure(error, name) from error
        self._login()
        with self._refusals(UntrustedServer, "the server refuses to protect the data connections"), self.answers(name):
            self._client.protect()

    def _login(self) -> None:
        user = self._target.user or "anonymous"
        password = self._target.password or ("" if self._target.user else "anonymous@")
        name = self._target.shown
        if any(end in user + password for end in "\r\n"):
            raise AuthenticationFailed(f"{name}: a user or password of FTP holds no line's end")
        try:
            answer = self._client.sendcmd(f"USER {user}")
            if answer[0] == "3":
                answer = self._client.sendcmd(f"PASS {password}")
        except ftplib.error_perm as error:
            # The text of the answer could repeat what was sent.
            code = replies.code_of(error)
            raise AuthenticationFailed(f"{name}: the server refuses the login (answer {code})") from error
        except ftplib.error_temp as error:
            raise Transient(f"{name}: no login now (answer {replies.code_of(error)})") from error
        except (OSError, EOFError, ftplib.Error) as error:
            raise replies.of_failure(error, name) from error
        if answer[0] != "2":
            raise AuthenticationFailed(f"{name}: the server asks for an account, which is not supported")

    @contextmanager
    def _refusals(self, cls: type[TransferError], text: str) -> Iterator[None]:
        try:
            yield
        except TransferError as error:
            if error.heals or isinstance(error, UntrustedServer):
                raise
            raise cls(f"{self._target.shown}: {text} ({error})") from error

    def _learn(self) -> None:
        answer = self.attempt("FEAT") or ""
        for line in _inner_lines(answer):
            word, _, rest = line.strip().partition(" ")
            # `REST STREAM` is another offer than REST alone.
            self.offers[word.lower()] = rest
        if "utf8" in self.offers:
            self.attempt("OPTS UTF8 ON")
        if "mlst" in self.offers:
            offered = {fact.strip("*").lower() for fact in self.offers["mlst"].split(";") if fact}
            self.facts = tuple(fact for fact in _FACTS if fact in offered)
            self.attempt(f"OPTS MLST {''.join(f'{fact};' for fact in self.facts)}")
        home = self.command("PWD", self._target.shown)
        self.home = ftplib.parse257(home).rstrip("/") if home.startswith("257") else ""  # noqa: S321 -- no call

    @property
    def restarts(self) -> bool:
        """Whether transfers can begin at a byte."""
        return "stream" in self.offers.get("rest", "").lower()

    @property
    def lists_facts(self) -> bool:
        """Whether listings give sizes and times that can be trusted."""
        return {"type", "size", "modify"} <= set(self.facts)

    @contextmanager
    def answers(self, name: str) -> Iterator[None]:
        """Turn ftplib's errors into those of transfers; drop the connection where an answer may be left unread."""
        self.used_at = time.monotonic()
        if not self.usable:
            raise Transient(f"{replies.shown(name)}: the connection broke")
        try:
            yield
        except replies.Reply as error:
            if replies.ends_connection(error):
                self.drop()
            raise replies.of_reply(error, name) from error
        except ValueError as error:
            raise BadName(f"{replies.shown(name)}: cannot be named in a command of FTP") from error
        except (OSError, EOFError, ftplib.Error) as error:
            self.drop()
            raise replies.of_failure(error, name) from error
        except TransferError:
            raise
        except BaseException:
            self.drop()
            raise
        finally:
            self.used_at = time.monotonic()

    def command(self, line: str, name: str) -> str:
        """Send a command about `name` and return the answer, a completion (2xx) or a question (3xx)."""
        with self.answers(name):
            return self._client.sendcmd(line)

    def attempt(self, line: str, name: str = "") -> str | None:
        """Send a command whose refusal for good (5xx) is no error; return None for that."""
        with self.answers(name):
            try:
                return self._client.sendcmd(line)
            except ftplib.error_perm:
                return None

    def set_type(self, mode: Mode, name: str) -> None:
        """Choose the type of what follows, where it is another one."""
        wanted = "A" if mode == "ascii" else "I"
        if self._type != wanted:
            self.command(f"TYPE {wanted}", name)
            self._type = wanted

    def transfer(self, line: str, name: str, *, mode: Mode, rest: int | None = None) -> Data:
        """Begin a transfer; the session takes no other command until its data connection is finished."""
        self.set_type(mode, name)
        with self.answers(name):
            data, _ = self._client.ntransfercmd(line, rest or None)
            return Data(data, self, name, self._target.timeouts.idle)

    def complete(self, name: str) -> None:
        """Read the answer that ends a transfer; an answer of failure drops the connection too."""
        with self.answers(name):
            try:
                self._client.voidresp()
            except ftplib.Error:
                self.drop()
                raise

    def size(self, full: str, name: str) -> int | None:
        """Return a file's size in bytes, None where there is none of that name or the server does not tell.

        The type is binary, because servers refuse SIZE in ASCII or count other bytes.
        """
        self.set_type("binary", name)
        answer = self.attempt(f"SIZE {full}", name)
        return None if answer is None else number_of(answer[3:].strip())

    def lookup(self, full: str, name: str) -> Line | None:
        """Return what has the name `full`, None where nothing has that can be seen."""
        if self.lists_facts:
            answer = self.attempt(f"MLST {full}", name)
            lines = [] if answer is None else _inner_lines(answer)
            line = parse_facts(lines[0].removeprefix(" ")) if lines else None
            if line is not None and line.kind == "itself":
                return Line(name, "folder")
            return line
        size = self.size(full, name)
        if size is None:
            return Line(name, "folder") if self.attempt(f"CWD {full}", name) is not None else None
        modified = (self.attempt(f"MDTM {full}", name) or "")[3:].strip() if "mdtm" in self.offers else ""
        version = version_of(size, modified if parse_time(modified) is not None else None)
        return Line(name, "file", size, parse_time(modified), version)

    def explained(self, error: TransferError, full: str, name: str) -> TransferError:
        """Return NotFound in place of a refusal of a file that is not there."""
        if isinstance(error, Denied) and self.usable and self.lookup(full, name) is None:
            return NotFound(f"{replies.shown(name)}: does not exist")
        return error

    def sha256(self, full: str, name: str) -> str | None:
        """Return the digest that the server computes of a file, None where it does not."""
        self.set_type("binary", name)
        answer = None
        if "sha-256" in self.offers.get("hash", "").lower() and self.attempt("OPTS HASH SHA-256") is not None:
            answer = self.attempt(f"HASH {full}", name)
        elif "xsha256" in self.offers:
            answer = self.attempt(f"XSHA256 {full}", name)
        # A name could look like a digest: that of HASH is the first, the name comes last.
        found = _DIGEST.search(answer or "")
        return found[0].lower() if found else None

    def alive(self) -> bool:
        """Ask whether the connection still stands."""
        with contextlib.suppress(TransferError):
            self.attempt("NOOP")
        return self.usable

    def drop(self) -> None:
        """Close the connection without a word."""
        self.usable = False
        self._client.close()

    def quit(self) -> None:
        """End the connection; never raises."""
        if self.usable:
            with contextlib.suppress(TransferError), self.answers(""):
                self._client.putcmd("QUIT")
        self.drop()


def _inner_lines(answer: str) -> list[str]:
    """Return the lines of an answer between its first and its last one.

    Not by `splitlines`: a name may hold other characters that end a line in Unicode.
    """
    return answer.split("\n")[1:-1]


class Connections:
    """The sessions of one endpoint: one is enough unless a transfer is open while something else is asked."""

    # Seconds after which an idle session is asked whether it still stands.
    _FRESH: Final = 5.0

    def __init__(self, open_session: Callable[[], Session]) -> None:
        self._open_session = open_session
        self._idle: list[Session] = []

    def take(self) -> Session:
        """Return a session that nothing else uses; give it back with `give`."""
        while self._idle:
            session = self._idle.pop()
            if session.usable and (time.monotonic() - session.used_at < self._FRESH or session.alive()):
                return session
            session.drop()
        return self._open_session()

    def give(self, session: Session) -> None:
        """Take back a session."""
        if session.usable:
            self._idle.append(session)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Lend a session for some commands."""
        session = self.take()
        try:
            yield session
        finally:
            self.give(session)

    def close(self) -> None:
        """End all sessions that are not in use."""
        while self._idle:
            self._idle.pop().quit()
