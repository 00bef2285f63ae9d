"""Hold one SSH connection with an SFTP session: connect, check the host key, limit each wait, connect anew."""

import asyncio
import contextlib
from collections.abc import Awaitable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import asyncssh

from mft_common.endpoints.errors import AuthenticationFailed, TransferError, Transient, UntrustedServer
from mft_common.endpoints.sftp import gcm
from mft_common.endpoints.sftp.coalescing import log_nothing, send_no_ignored_packets
from mft_common.endpoints.sftp.host_keys import ALGORITHMS, HostKey, describe, read_pin
from mft_common.endpoints.sftp.loop import LoopThread
from mft_common.endpoints.sftp.problems import LOST, of_error
from mft_common.endpoints.targets import Target

T = TypeVar("T")

# AES-GCM of 128 bits is the fastest where the processor has AES; OpenSSH's and asyncssh's own first choice is
# chacha20-poly1305, which costs a third of the throughput.
CIPHERS: Final = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
)
gcm.use()
log_nothing()
# The largest request for data, in bytes: OpenSSH closes the connection on a longer message.
LARGEST_REQUEST: Final = 255 * 1024
# An established connection that the server has broken.
_BROKEN: Final = (asyncssh.ConnectionLost, ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
_KEEPALIVE: Final = 15.0
_KEEPALIVES_UNANSWERED: Final = 3
_CLOSE_WITHIN: Final = 1.0
# A name that exists nowhere: a rename of it changes nothing, and its answer says whether the server knows the request.
_PROBE: Final = b".crossdock.0000000000000000.probe"
# The type that the pinned key of a server turned out to have, by host, port and fingerprint; so later connections of
# this process ask for that type first.
_kinds: dict[tuple[str, int, str], str] = {}


@dataclass
class Session:
    """One SFTP session and what its server can do.

    `posix_rename`: a rename replaces a file in one step. `hard_link`: a link makes a second name and never replaces
    one. `fsync`: files can be made durable; it is taken back at the server's first refusal.
    """

    connection: asyncssh.SSHClientConnection
    client: asyncssh.SFTPClient
    posix_rename: bool
    hard_link: bool
    fsync: bool = True

    @property
    def read_size(self) -> int:
        """The bytes of one request to read."""
        return min(self.client.limits.max_read_len, LARGEST_REQUEST)

    @property
    def write_size(self) -> int:
        """The bytes of one request to write."""
        return min(self.client.limits.max_write_len, LARGEST_REQUEST)


class _Checker(asyncssh.SSHClient):
    """Accepts the pinned host key alone, and keeps the one that was shown."""

    def __init__(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint
        self.shown: HostKey | None = None

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002 -- asyncssh's signature
        self.shown = describe(key)
        return self.shown.fingerprint == self._fingerprint


class Connection:
    """The way to one server; `call` runs a coroutine on its loop, and `session` connects anew where it must."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.idle = target.timeouts.idle
        self._pin = read_pin(target.host_key)
        self._session: Session | None = None
        self._connecting: asyncio.Lock | None = None
        self._closed = False
        self.loop = LoopThread("sftp")

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the connection's loop and return its result; every await of it is limited by `ask`."""
        return self.loop.call(coroutine)

    async def session(self) -> Session:
        """Return the open session, after connecting where there is none or it was lost."""
        if self._closed:
            raise Transient(f"{self.target.shown}: the endpoint is closed")
        if self._connecting is None:
            self._connecting = asyncio.Lock()
        async with self._connecting:
            if self._session is None or self._session.connection.is_closed():
                self._session = await self._connect()
            return self._session

    async def ask(self, awaitable: Awaitable[T], name: str, session: Session | None = None) -> T:
        """Await one answer of the server for at most the idle limit; TransferError that names `name`."""
        try:
            return await self.answer(awaitable, session)
        except (asyncssh.Error, OSError, EOFError) as error:
            raise of_error(error, name) from error

    async def answer(self, awaitable: Awaitable[T], session: Session | None = None) -> T:
        """Await one answer as `ask` does, with the library's own errors; a lost or silent connection is dropped."""
        try:
            async with asyncio.timeout(self.idle):
                return await awaitable
        except LOST:
            self.drop(session or self._session)
            raise

    def drop(self, session: Session | None) -> None:
        """Break a connection that failed or fell silent, so that the next call connects anew."""
        if session is None:
            return
        if self._session is session:
            self._session = None
        session.connection.abort()

    def close(self) -> None:
        """Close the session, the connection and the loop's thread; never raises."""
        with contextlib.suppress(TransferError):
            self.call(self._close())
        self.loop.stop()

    async def _close(self) -> None:
        self._closed = True
        session, self._session = self._session, None
        if session is None:
            return
        with contextlib.suppress(Exception):
            session.client.exit()
            session.connection.close()
            await asyncio.wait_for(session.connection.wait_closed(), _CLOSE_WITHIN)
        session.connection.abort()

    async def _connect(self) -> Session:
        key = self.target.host, self.target.port, self._pin.fingerprint
        first = _kinds.get(key)
        kinds = [kind for kind in self._pin.kinds if kind == first] + [
            kind for kind in self._pin.kinds if kind != first
        ]
        shown: list[HostKey] = []
        lost: dict[str, TransferError] = {}
        while kinds:
            kind = kinds.pop(0)
            checker = _Checker(self._pin.fingerprint)
            try:
                connection = await self._log_in(kind, checker)
            except asyncssh.HostKeyNotVerifiable:
                shown += [checker.shown] if checker.shown else []
            except asyncssh.KeyExchangeFailed:
                # The server has no key of this type.
                pass
            except Transient as error:
                # OpenSSH closes the connection where it has no key of the type, which looks like a broken network:
                # such a type is asked for once more, after the others.
                if checker.shown is not None or not isinstance(error.__cause__, _BROKEN):
                    raise
                kinds += [kind] if kind not in lost else []
                lost[kind] = error
            else:
                _kinds[key] = kind
                return await self._start(connection)
        if not shown:
            shown += await _show(self.target)
        if not shown and lost:
            raise lost.popitem()[1]
        raise self._untrusted(shown)

    def _untrusted(self, shown: list[HostKey]) -> UntrustedServer:
        # A fingerprint alone may be that of a key of any type.
        kind = f" ({self._pin.kinds[0]})" if len(self._pin.kinds) == 1 else ""
        first = f"{self.target.shown}: the pinned host key is {self._pin.fingerprint}{kind}, and the server shows"
        if not shown:
            return UntrustedServer(f"{first} none of a type that this hub knows")
        keys = dict.fromkeys(f"{key.fingerprint} ({key.kind})" for key in shown)
        return UntrustedServer(f"{first} {', '.join(keys)}")

    async def _log_in(self, kind: str, checker: _Checker) -> asyncssh.SSHClientConnection:
        target = self.target
        limit = target.timeouts.connect
        key = _import_key(target) if target.key else None
        try:
            return await asyncssh.connect(
                target.host,
                target.port,
                config=None,
                agent_path=None,
                username=target.user,
                password=target.password or None,
                client_keys=[key] if key else None,
                preferred_auth="publickey" if key else "password,keyboard-interactive",
                known_hosts=([], [], []),
                server_host_key_algs=ALGORITHMS[kind],
                client_factory=lambda: checker,
                encryption_algs=CIPHERS,
                compression_algs=["none"],
                gss_host=None,
                x509_trusted_certs=None,
                connect_timeout=limit,
                login_timeout=limit,
                keepalive_interval=min(_KEEPALIVE, self.idle),
                keepalive_count_max=_KEEPALIVES_UNANSWERED,
                utf8_decode_errors="replace",
            )
        except (asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed):
            raise
        except (asyncssh.Error, OSError, EOFError) as error:
            raise of_error(error, target.shown) from error

    async def _start(self, connection: asyncssh.SSHClientConnection) -> Session:
        try:
            async with asyncio.timeout(self.target.timeouts.connect):
                client = await connection.start_sftp_client(path_encoding=None)
                known = [
                    await _knows(request)
                    for request in (client.posix_rename(_PROBE, _PROBE), client.link(_PROBE, _PROBE))
                ]
        except (asyncssh.Error, OSError, EOFError) as error:
            connection.abort()
            raise of_error(error, self.target.shown) from error
        send_no_ignored_packets(connection)
        return Session(connection, client, *known)


async def together(*requests: Awaitable[Any]) -> list[Any]:
    """Send requests in this order without waiting for one another's answers; return them, or raise the first error."""
    answers = await asyncio.gather(*requests, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers


async def _knows(request: Awaitable[None]) -> bool:
    """Return whether the server carries out a request that can only find that the file is missing.

    A server that refuses it, or answers without a reason, is treated as one that does not know it: what replaces the
    request then is slower and safe.
    """
    try:
        await request
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
        return True
    except LOST:
        raise
    except asyncssh.SFTPError:
        pass
    return False


def _import_key(target: Target) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_private_key(target.key, target.passphrase or None)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        # OpenSSH's own format of encrypted keys needs a library that this hub does not have.
        remedy = ", which is needed as PKCS #8 (ssh-keygen -p -m PKCS8)" if "bcrypt" in str(error) else ""
        raise AuthenticationFailed(f"{target.shown}: the private key cannot be read or decrypted{remedy}") from error


async def _show(target: Target, kinds: Sequence[str] = tuple(ALGORITHMS)) -> list[HostKey]:
    """Return the host key that a server shows where it may choose among types; none where it has no such key."""
    algorithms = [algorithm for kind in kinds for algorithm in ALGORITHMS[kind]]
    asking = asyncssh.get_server_host_key(target.host, target.port, server_host_key_algs=algorithms, config=None)
    try:
        key = await asyncio.wait_for(asking, target.timeouts.connect)
    except (asyncssh.KeyExchangeFailed, *_BROKEN):
        return []
    except (asyncssh.Error, OSError, EOFError) as error:
        raise of_error(error, target.shown) from error
    return [] if key is None else [describe(key)]


async def _fetch(target: Target) -> tuple[HostKey, ...]:
    found = [key for kind in ALGORITHMS for key in await _show(target, (kind,))]
    return tuple(found)


def fetch_host_keys(target: Target) -> tuple[HostKey, ...]:
    """Return the host keys that a server shows, of every type that it has, without logging in; Transient."""
    loop = LoopThread("sftp-host-keys")
    try:
        return loop.call(_fetch(target))
    finally:
        loop.stop()
