"""Start the hub on one machine: look at everything first, then fork the door and the worker, and watch them."""

import os
import shutil
import socket
import ssl
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from crossdock import certificate, configuration, demo, environment, greeting
from crossdock.errors import CannotStart
from crossdock.processes import Process, Supervisor
from mft_common.process import file_locks

_LOCK_WAIT_S = 10.0
_BACKLOG = 2048


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `crossdock up` was told; `data` is absolute."""

    data: Path
    host: str
    port: int
    https_port: int | None
    workers: int
    demo: bool
    config: Path | None


def start(options: Options, environ: Mapping[str, str]) -> int:
    """Run the hub until it is told to stop; return the exit code. CannotStart or ConfigError say why it cannot."""
    _refuse_networks(options, environ)
    state = options.data / "state"
    state.mkdir(parents=True, exist_ok=True)
    # Password hashes and keys are in there.
    state.chmod(0o700)
    with _lock(state / "hub.lock"):
        settings = environment.of_one_machine(options.data, environ, host=options.host, demo=options.demo)
        _figures(state / "metrics")
        # Imported here: prometheus-client looks for its folder when it is imported, and `--help` need not wait for it.
        from crossdock.machine import Machine

        machine = Machine(settings, state, options.workers)
        machine.take(configuration.read(options.config, settings, demo=options.demo))
        if options.demo:
            demo.lay_out(options.data)
        machine.sockets = _listen(options)
        machine.tls = _tls(options, settings)
        ports = [one.getsockname()[1] for one in machine.sockets]
        told = greeting.listening(options.host, ports[0], ports[1] if options.https_port is not None else None)
        if options.demo:
            told += "\n" + greeting.demo(options.host, ports[0])
        processes = [Process("web", machine.web, essential=True), Process("worker", machine.worker)]
        supervisor = Supervisor(processes, reload=machine.reload)
        return supervisor.run(lambda: _announce(options.host, ports[0], told))


def _refuse_networks(options: Options, environ: Mapping[str, str]) -> None:
    if environment.is_loopback(options.host):
        return
    if options.demo:
        raise CannotStart(f"--demo has published passwords and listens on loopback alone, not on {options.host}")
    if environ.get("MQMFT_SECURITY", "on").lower() in ("off", "0", "false"):
        raise CannotStart(f"MQMFT_SECURITY=off lets everybody in, and needs a loopback address, not {options.host}")


def _lock(path: Path) -> TextIO:
    """Take the data folder for this hub alone; children inherit the lock, so it is free when the last is gone."""
    file = path.open("a+")
    waited = threading.Event()
    for tries in range(int(_LOCK_WAIT_S / 0.1)):
        if file_locks.acquire(file.fileno()):
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            return file
        if tries == 5:
            print(f"crossdock: waiting for the hub that uses {path.parent.parent}", file=sys.stderr, flush=True)  # noqa: T201 -- the user waits
        waited.wait(0.1)
    raise CannotStart(f"another hub runs on {path.parent.parent}: stop it, or give this one another --data")


def _figures(folder: Path) -> None:
    """Give this run's metrics an empty folder, and tell prometheus-client before it is imported."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # noqa: TID251 -- the one way to tell prometheus-client


def _listen(options: Options) -> list[socket.socket]:
    ports = [options.port] + ([options.https_port] if options.https_port is not None else [])
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    made: list[socket.socket] = []
    for port in ports:
        one = socket.socket(family, socket.SOCK_STREAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((options.host, port))
        except OSError as error:
            raise CannotStart(f"cannot listen on {options.host} port {port}: {error.strerror}") from error
        one.listen(_BACKLOG)
        made.append(one)
    return made


def _tls(options: Options, settings: Mapping[str, str]) -> tuple[Path, Path] | None:
    if options.https_port is None:
        return None
    given = settings.get("MFT_TLS_CERT"), settings.get("MFT_TLS_KEY")
    if any(given) and not all(given):
        raise CannotStart("MFT_TLS_CERT and MFT_TLS_KEY belong together: set both or neither")
    if given[0] and given[1]:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(given[0], given[1])
        except (OSError, ssl.SSLError) as error:
            raise CannotStart(f"MFT_TLS_CERT and MFT_TLS_KEY are no pair that can be used: {error}") from error
        return Path(given[0]), Path(given[1])
    return certificate.ensure(options.data / "state" / "gateway")


def _announce(host: str, port: int, told: str) -> bool:
    """Print `told` once the hub says that it is ready."""
    shown = f"[{host}]" if ":" in host else host
    try:
        with urllib.request.urlopen(f"http://{shown}:{port}/readyz", timeout=2):
            print(told, flush=True)  # noqa: T201 -- what the command is for
            return True
    except (urllib.error.URLError, OSError):
        return False
