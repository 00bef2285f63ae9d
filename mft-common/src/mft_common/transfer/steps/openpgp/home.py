"""Make the home of one job's keys, with an agent that is a child of ours and ends with the job."""

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, Self

from mft_common.endpoints.errors import os_errors
from mft_common.process.parent_death import die_with_parent
from mft_common.transfer.steps.openpgp import program
from mft_common.transfer.steps.openpgp.errors import KeyRefused
from mft_common.transfer.steps.openpgp.keys import Key, base_options
from mft_common.transfer.steps.openpgp.listing import Use

_PREFIX: Final = "openpgp-"
_SOCKET: Final = "S.gpg-agent"
# Descriptors below this are standard ones, or the one that gpg-agent takes its socket from (sd_listen_fds).
_LOWEST: Final = 20
_AGENT_SOCKET: Final = 3
# How often the agent hashes a passphrase for its copy of a key; by default it measures first how fast the machine is.
_S2K_COUNT: Final = "8388608"


class Home:
    """The keys of one job in a private folder below `private`, which `close` removes.

    Homes below `private` that processes left which were killed are removed before.
    gpg and its agent name the folder by its descriptor: the path may be as long as it likes, although a socket's
    address has 107 bytes at most, and no message of theirs names it. The agent runs where a key is secret, or `agent`.
    """

    def __init__(
        self,
        private: Path,
        keys: Iterable[Key],
        *,
        agent: bool = False,
        s2k_count: str = _S2K_COUNT,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.keys: Mapping[str, Key] = {key.name: key for key in keys}
        self.private = private
        self.now = now
        self.gpg = program.find()
        self._agent: subprocess.Popen[bytes] | None = None
        with os_errors("OpenPGP"):
            private.mkdir(mode=0o700, parents=True, exist_ok=True)
            remove_homes(private)
            self._folder, self.descriptor = _locked_folder(private)
        try:
            if agent or any(key.listing.secret for key in self.keys.values()):
                self._agent = self._start_agent(s2k_count)
            for key in self.keys.values():
                self._import(key)
        except BaseException:
            self.close()
            raise

    def options(self) -> list[str]:
        """Return gpg and the options that each of its processes gets."""
        return [self.gpg, *base_options(self.descriptor), "--trust-model", "always"]

    def usable(self, name: str, use: Use, *, expired: bool = False) -> Key:
        """Return a key by its name; KeyRefused, with the date, where it may not be used so today.

        With `expired` a key is returned that could be used so until it expired.
        """
        key = self.keys.get(name)
        if key is None:
            raise KeyRefused(f"there is no OpenPGP key {name}")
        if use in ("sign", "decrypt") and not key.listing.secret:
            raise KeyRefused(f"the key {name} is a public key and cannot {use}")
        problem = key.listing.problem(use, self.now())
        # What was encrypted before a key expired can be read for ever; `Decrypt` says it in its warnings.
        if problem and use != "decrypt" and not (expired and key.listing.has_expired(use, self.now())):
            raise KeyRefused(f"the key {name} {problem}")
        return key

    def close(self) -> None:
        """End the agent and remove the folder."""
        if self._agent is not None:
            self._agent.kill()
            self._agent.wait()
            self._agent = None
        if self.descriptor >= 0:
            shutil.rmtree(self._folder, ignore_errors=True)
            os.close(self.descriptor)
            self.descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start_agent(self, s2k_count: str) -> subprocess.Popen[bytes]:
        """Start an agent that takes calls from a socket of ours: by itself it would leave the process group."""
        agent = program.find("gpg-agent")
        descriptor, parent = self.descriptor, os.getpid()
        with os_errors("OpenPGP"), socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"/proc/self/fd/{descriptor}/{_SOCKET}")
            listener.listen(16)
            # Another number than the agent's, so that `dup2` makes it an inherited one.
            number = fcntl.fcntl(listener.fileno(), fcntl.F_DUPFD_CLOEXEC, _LOWEST)

            def prepare() -> None:
                die_with_parent(parent)
                os.dup2(number, _AGENT_SOCKET, inheritable=True)
                os.set_inheritable(descriptor, True)

            # fmt: off
            try:
                return subprocess.Popen(  # noqa: S603 -- no shell, fixed arguments
                    [agent, "--homedir", f"/proc/self/fd/{descriptor}", "--no-options", "--supervised",
                     "--disable-scdaemon", "--allow-loopback-pinentry", "--no-allow-external-cache",
                     "--s2k-count", s2k_count],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False,
                    env={**program.ENVIRONMENT, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "std"},
                    process_group=0,
                    preexec_fn=prepare,  # noqa: PLW1509 -- three system calls
                )
            finally:
                os.close(number)
            # fmt: on

    def _import(self, key: Key) -> None:
        _, done = program.run([*self.options(), "--import"], key.text.encode(), descriptor=self.descriptor)
        taken = [status for status in done.found if status.keyword == "IMPORT_OK"]
        if not any(status.arguments[-1] == key.listing.fingerprint for status in taken):
            raise KeyRefused(f"gpg does not take the key {key.name}")


def _locked_folder(private: Path) -> tuple[Path, int]:
    """Make a folder, and return it with its locked descriptor: `remove_homes` passes over a folder that is locked.

    Another process may remove the folder before it is locked; then another one is made. The lock ends with the process.
    """
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=private))
        try:
            opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        try:
            descriptor = fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, _LOWEST)
        finally:
            os.close(opened)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return folder, descriptor
        os.close(descriptor)


def remove_homes(private: Path) -> int:
    """Remove the homes below `private` that processes left which were killed; return how many."""
    count = 0
    for folder in private.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
                count += 1
            finally:
                os.close(descriptor)
    return count
