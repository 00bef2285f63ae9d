"""Help to start server programs: free ports, waiting with a deadline, installing missing packages."""

import contextlib
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from tests.servers.stopwatch import Stopwatch

T = TypeVar("T")
_FIRST_PORT = 10_000
_LAST_PORT = 32_000
# Seconds: a wait that is longer than the first is looked at by a stopwatch, where its bound is shorter than the second.
_UNWATCHED_S = 0.5
_LONG_S = 60.0
_random = random.SystemRandom()
# Two servers that are about to start must not get the same port.
_returned: set[int] = set()


def free_port() -> int:
    """Return a port of the loopback address on which nothing listens.

    It lies below the ports that the kernel gives to outgoing connections, and in a range of this test process's own, so
    that nothing takes it between this call and the start of the server that it is for; no later call returns it again.
    """
    own, count = _worker()
    width = (_LAST_PORT - _FIRST_PORT) // count
    first = _FIRST_PORT + own * width
    for port in _random.sample(range(first, first + width), 200):
        if port in _returned:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _returned.add(port)
            return port
    raise AssertionError(f"no port from {first} to {first + width} is free")


def _worker() -> tuple[int, int]:
    """Return the number of this process among those of pytest-xdist, and how many there are."""
    name = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    return int(name.removeprefix("gw")), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


def wait_until(condition: Callable[[], T], *, within: float = _LONG_S, every: float = 0.01, what: str = "") -> T:
    """Call `condition` until its result is true, and return that; AssertionError after `within` seconds.

    Of a bound below a minute, the seconds for which a busy machine stood still do not count.
    """
    began, watch = time.monotonic(), None
    pause = threading.Event()
    while not (answer := condition()):
        waited = time.monotonic() - began
        if watch is None and waited > _UNWATCHED_S and within < _LONG_S:
            watch = Stopwatch()
        if waited > within and (watch is None or _UNWATCHED_S + watch.seconds > within):
            raise AssertionError(f"not within {within} s: {what or condition}; last answer: {answer!r}")
        pause.wait(every)
    return answer


def program(names: Sequence[str], package: str) -> str:
    """Return the path of the first program of `names` that exists, installing Debian's `package` where none does."""
    if found := _first(names):
        return found
    print(f"installing {package}, which the tests need", file=sys.stderr)
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", package]):
        subprocess.run([*prefix, "apt-get", "-q", *arguments], check=True, stdout=sys.stderr, env=environment)
    if found := _first(names):
        return found
    raise RuntimeError(f"the tests need one of {', '.join(names)}, and the package {package} does not bring it")


def _first(names: Sequence[str]) -> str | None:
    for name in names:
        if "*" in name:
            matches = sorted(str(path) for path in Path("/").glob(name.lstrip("/")))
            if matches:
                return matches[-1]
        elif found := shutil.which(name):
            return found
    return None


def end(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGKILL) -> None:
    """Send `how` to the session that `process` leads, and wait for it."""
    if process.poll() is None:
        os.killpg(process.pid, how)
    process.wait(30)


def is_running(pid: int) -> bool:
    """Return whether a process is there, and any of its threads has not ended.

    Its state alone does not say so: it is that of the first thread, and a process that was killed shows as a zombie
    while other threads still end. Until the last one has, its locks are held and its parent cannot reap it.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        ended = select.poll()
        ended.register(descriptor, select.POLLIN)
        return not ended.poll(0)
    finally:
        os.close(descriptor)
