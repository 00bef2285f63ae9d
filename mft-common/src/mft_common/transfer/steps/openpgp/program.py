"""Run gpg with all its pipes read at once, so that none of them ever blocks it."""

import contextlib
import fcntl
import os
import selectors
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from mft_common.endpoints.contract import BLOCK
from mft_common.endpoints.errors import DiskFull, Transient
from mft_common.process.parent_death import die_with_parent
from mft_common.transfer.steps.openpgp import statuses
from mft_common.transfer.steps.openpgp.errors import OpenPgpError, ProgramMissing

# Without HOME and without the variables of a terminal; messages in English whatever the machine's language is.
ENVIRONMENT: Final[Mapping[str, str]] = {"LC_ALL": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"}
MISSING: Final = "is not installed, and OpenPGP keys need it: install GnuPG (Debian: apt-get install gpg gpg-agent)"
IDLE: Final = 60.0
_PIPE: Final = 1 << 20
_LONGEST_PASSPHRASE: Final = 4096
_STDERR_KEPT: Final = 4096


def find(name: str = "gpg") -> str:
    """Return the path of a program of GnuPG; ProgramMissing where there is none."""
    found = shutil.which(name)
    if found is None:
        raise ProgramMissing(f"{name} {MISSING}")
    return found


class Program:
    """One gpg process: `feed` bytes, `end` them, read `found` and `code`; `close` kills what still runs.

    `descriptor` is the folder that `--homedir` names, `passphrase` goes in by a pipe of its own. `keep` is called with
    each piece that gpg writes, and what it raises ends the call that reads; without one `feed` and `end` yield them.
    Transient after `idle` seconds in which no pipe moved.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        descriptor: int,
        passphrase: str | None = None,
        keep: Callable[[bytes], None] | None = None,
        idle: float = IDLE,
    ) -> None:
        self.found: list[statuses.Status] = []
        self.code: int | None = None
        self._idle = idle
        self._status = b""
        self.errors = b""
        self._made: list[bytes] = []
        self._waiting = memoryview(b"")
        # A socket and no pipe: it is ready again when most of it was read, a pipe for every few KiB.
        self._input, input_end = socket.socketpair()
        self._input.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _PIPE)
        status, status_end = os.pipe()
        secret, secret_end = os.pipe()
        try:
            _put_passphrase(secret_end, passphrase)
            self._process = subprocess.Popen(  # noqa: S603 -- no shell, and no argument comes from a partner
                [*arguments[:1], "--status-fd", str(status_end), "--passphrase-fd", str(secret), *arguments[1:]],
                stdin=input_end.fileno(),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(descriptor, status_end, secret),
                bufsize=0,
                env=dict(ENVIRONMENT),
                process_group=0,
                preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509 -- one system call
            )
        except BaseException:
            os.close(status)
            self._input.close()
            raise
        finally:
            input_end.close()
            os.close(secret)
            os.close(secret_end)
            os.close(status_end)
        self._selector = selectors.DefaultSelector()
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._stdin: int | None = self._input.fileno()
        self._status_pipe = status
        self._register(self._process.stderr.fileno(), self._keep_errors)
        self._register(status, self._keep_status)
        self._register(self._process.stdout.fileno(), keep or self._made.append)
        with contextlib.suppress(OSError):
            fcntl.fcntl(self._process.stdout, fcntl.F_SETPIPE_SZ, _PIPE)
        os.set_blocking(self._stdin, False)
        self._selector.register(self._stdin, selectors.EVENT_WRITE)

    @property
    def ended_early(self) -> bool:
        """Whether gpg takes no more input although it was not given the end."""
        return self._stdin is None

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Give gpg a block, and yield what it has written meanwhile."""
        self._waiting = memoryview(block)
        while self._waiting and self._stdin is not None:
            self._pump()
        yield from self._take()

    def end(self) -> Iterator[bytes]:
        """Give gpg the end of its input, yield the rest of what it writes, and wait for its exit."""
        self._close_stdin()
        while self._selector.get_map():
            self._pump()
            if sum(map(len, self._made)) >= BLOCK:
                yield from self._take()
        yield from self._take()
        try:
            self.code = self._process.wait(self._idle)
        except subprocess.TimeoutExpired as error:
            raise Transient(f"gpg did not end within {self._idle:g} s") from error

    def close(self) -> None:
        """Kill gpg where it still runs, and close all pipes."""
        if self._process.poll() is None:
            self._process.kill()
        self._close_stdin()
        self._process.wait()
        self._selector.close()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        if self._status_pipe >= 0:
            os.close(self._status_pipe)
            self._status_pipe = -1

    def check_room(self) -> None:
        """DiskFull where gpg has failed because it had no room for its files."""
        if self.code and b"No space left on device" in self.errors:
            raise DiskFull("OpenPGP: the disk is full")

    def _register(self, pipe: int, keep: Callable[[bytes], None]) -> None:
        os.set_blocking(pipe, False)
        self._selector.register(pipe, selectors.EVENT_READ, keep)

    def _pump(self) -> None:
        """Move what can be moved through any pipe, once."""
        ready = self._selector.select(self._idle)
        if not ready:
            raise Transient(f"gpg did nothing for {self._idle:g} s")
        for key, _ in ready:
            if key.fd == self._stdin:
                self._write()
            elif data := _read(key.fd):
                key.data(data)
            elif data == b"":
                self._selector.unregister(key.fd)

    def _write(self) -> None:
        assert self._stdin is not None
        try:
            self._waiting = self._waiting[os.write(self._stdin, self._waiting) :]
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            # gpg has ended by itself; its statuses say why.
            self._close_stdin()

    def _take(self) -> Iterator[bytes]:
        made = memoryview(b"".join(self._made))
        self._made.clear()
        for start in range(0, len(made), BLOCK):
            yield bytes(made[start : start + BLOCK])

    def _keep_errors(self, data: bytes) -> None:
        self.errors = (self.errors + data)[-_STDERR_KEPT:]

    def _keep_status(self, data: bytes) -> None:
        *lines, self._status = (self._status + data).split(b"\n")
        for line in lines:
            status = statuses.parse(line.decode("utf-8", "replace"))
            if status is not None:
                self.found.append(status)

    def _close_stdin(self) -> None:
        if self._stdin is not None:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(self._stdin)
            self._input.close()
            self._stdin = None


def run(
    arguments: Sequence[str], given: bytes, *, descriptor: int, passphrase: str | None = None, idle: float = IDLE
) -> tuple[bytes, Program]:
    """Run gpg to its end with `given` as its input; return its output and the process."""
    program = Program(arguments, descriptor=descriptor, passphrase=passphrase, idle=idle)
    try:
        made = [*program.feed(given), *program.end()]
    finally:
        program.close()
    program.check_room()
    return b"".join(made), program


def _read(pipe: int) -> bytes | None:
    """Return what a pipe holds, b"" at its end, None where it holds nothing after all."""
    try:
        return os.read(pipe, BLOCK)
    except BlockingIOError:
        return None


def _put_passphrase(pipe: int, passphrase: str | None) -> None:
    """Write the passphrase into an empty pipe, which holds it until gpg reads."""
    line = (passphrase or "").encode() + b"\n"
    if len(line) > _LONGEST_PASSPHRASE or line.count(b"\n") > 1:
        raise OpenPgpError("a passphrase is one line of at most 4095 bytes")
    os.write(pipe, line)
