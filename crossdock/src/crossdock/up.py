"""Start the hub on one machine: check everything first, then fork the web and worker processes and supervise them."""

import os
import shutil
import signal
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from crossdock import applying, banner, configuration, demo, environment, listeners
from crossdock.errors import CannotStart
from crossdock.supervisor import Supervisor
from mft_common.process import file_locks

_LOCK_WAIT_S: Final = 10.0
_ASK_TIMEOUT_S: Final = 2.0
# The hub asks itself: a proxy that the environment names is for other hosts.
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `crossdock up`; `data` is absolute."""

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
    # A `crossdock apply` that comes while the hub starts waits in its request file until the supervisor runs.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    with _lock(state / "hub.lock") as lock:
        settings = environment.of_one_machine(options.data, environ, host=options.host, demo=options.demo)
        _empty_metrics_folder(state / "metrics")
        # Imported here: prometheus-client reads the name of its folder when it is imported, and `--help` starts faster.
        from crossdock.local_hub import LocalHub

        hub = LocalHub(settings, state, options.workers, [lock.fileno()])
        hub.apply(configuration.read(options.config, settings, demo=options.demo))
        if options.demo:
            demo.lay_out(options.data)
        opened = listeners.listen(options.host, options.port, options.https_port, settings, state / "gateway")
        text = banner.listening(options.host, *opened.ports)
        if options.demo:
            text += "\n" + banner.demo(options.host, opened.ports[0])
        supervisor = Supervisor(hub.processes(opened), reload=hub.reload, maintain=lambda: hub.maintain(opened))
        return supervisor.run(lambda: _announce(options.host, opened.ports[0], text))


def _refuse_networks(options: Options, environ: Mapping[str, str]) -> None:
    if environment.is_loopback(options.host):
        return
    if options.demo:
        raise CannotStart(f"--demo has published passwords and listens on loopback alone, not on {options.host}")
    if environ.get("MQMFT_SECURITY", "on").lower() in ("off", "0", "false"):
        raise CannotStart(f"MQMFT_SECURITY=off lets everybody in, and needs a loopback address, not {options.host}")


def _lock(path: Path) -> TextIO:
    """Lock the data folder for this hub; its processes inherit the lock, which is free when the last one has ended."""
    file = path.open("a+")
    waited = threading.Event()
    for tries in range(int(_LOCK_WAIT_S / 0.1)):
        if file_locks.acquire(file.fileno()):
            file.truncate(0)
            applying.clear(path.parent)
            file.write(str(os.getpid()))
            file.flush()
            return file
        if tries == 5:
            print(f"crossdock: waiting for the hub that uses {path.parent.parent}", file=sys.stderr, flush=True)  # noqa: T201 -- the user waits
        waited.wait(0.1)
    raise CannotStart(f"another hub runs on {path.parent.parent}: stop it, or give this one another --data")


def _empty_metrics_folder(folder: Path) -> None:
    """Give this run's metrics an empty folder, and tell prometheus-client before it is imported."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # noqa: TID251 -- the one way to tell prometheus-client


def _announce(host: str, port: int, text: str) -> bool:
    """Print `text` once the hub answers that it is ready; return whether it did."""
    shown = f"[{host}]" if ":" in host else host
    try:
        with _DIRECT.open(f"http://{shown}:{port}/readyz", timeout=_ASK_TIMEOUT_S):
            print(text, flush=True)  # noqa: T201 -- what the command is for
            return True
    except (urllib.error.URLError, OSError):
        return False
