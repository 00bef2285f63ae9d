"""Hold the configuration of a hub on one machine, and run its web and worker processes."""

import os
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

from crossdock import applying, configuration, environment, hub, sections, web
from crossdock.applied import AppliedFile
from crossdock.listeners import Listeners
from crossdock.supervisor import Process
from gateway.settings import Settings
from mft_common import config, logs
from mft_common.clock import now_ms
from mft_common.config import Reader
from mft_common.errors import ConfigError
from mft_common.process import memory
from mft_common.process.background_tasks import GRACE_S, run_tasks, stop_on_signals
from mft_common.process.runner import Runner, child_environment
from mft_common.process.unix_server import UnixServer
from mft_common.settings import from_env

Configuration = tuple[dict[str, Any], Reader]

# Requests of clients have the processor before background work.
_WORKER_NICENESS: Final = 10
_FAILED: Final = "the configuration may have been applied in part; the hub's log has the error; apply it again"
_WORKER_GRACE_S: Final = GRACE_S + 3.0


class LocalHub:
    """The hub of one machine, as its supervising process holds it: web and worker are forked from that process.

    `held` are the locks that all processes of the hub keep.
    """

    def __init__(self, settings: Mapping[str, str], state: Path, workers: int, held: Sequence[int] = ()) -> None:
        self._held = held
        self._settings = settings
        self._state = state
        self._data = state.parent
        self._workers = workers
        self._started_at = now_ms()
        self._configuration: Configuration | None = None
        self._applied = AppliedFile(state / "applied.yaml")
        logs.configure("crossdock", from_env(Settings, settings).log_level)

    def apply(self, wanted: Configuration) -> None:
        """Validate a configuration as a whole, and bring tables, accounts and folders to it.

        ConfigError lists every problem; nothing has changed then. Leftovers of a crashed run are removed as well.
        The worker that runs finds its part of the configuration in its databases, and the whole in `applied.yaml`.
        """
        configuration.validate(*wanted, self._settings)
        hub.build(self._settings, *wanted, apply_accounts=True).close()
        self._applied.write(*wanted)
        self._configuration = wanted
        document, reader = wanted
        # The built-in demo names everything that its protocols will use.
        if not reader.demo:
            config.warn_unused(sections.unused(document))

    def processes(self, listeners: Listeners) -> list[Process]:
        """Return the processes to start, in the order in which they are stopped.

        The web process is stopped first: a request that it has accepted still finds the worker.
        """
        web_grace = web.stop_time(self._settings)
        return [
            Process("web", partial(self._serve, listeners), essential=True, grace=web_grace),
            Process("worker", partial(self._work, listeners), grace=_WORKER_GRACE_S),
        ]

    def reload(self) -> Collection[str]:
        """Apply the configuration that `crossdock apply` asks for; return the names of the processes to replace.

        The worker is not replaced, so that its jobs go on.
        """
        asked = applying.requested(self._state)
        if asked is None:
            return ()
        request, file = asked
        log = logs.get("local_hub")
        try:
            self.apply(configuration.read(file, self._settings, demo=False))
        except ConfigError as error:
            log.warning("configuration.refused", file=str(file), problems=len(error.problems))
            applying.answer(self._state, request, error.problems)
            return ()
        except Exception as error:  # a database that is away, for one: the hub goes on with what it has
            log.exception("configuration.failed", file=str(file))
            applying.answer(self._state, request, failure=f"{_FAILED} ({type(error).__name__}: {error})")
            return ()
        log.info("configuration.applied", file=str(file))
        applying.answer(self._state, request)
        return ("web",)

    def maintain(self, listeners: Listeners) -> Collection[str]:
        """Renew the self-signed certificate when it is due; return the names of the processes to replace."""
        try:
            if not listeners.renew_certificate():
                return ()
        except OSError as error:
            logs.get("local_hub").error("certificate.not_renewed", error=repr(error))
            return ()
        logs.get("local_hub").info("certificate.renewed", folder=str(listeners.certificates))
        return ("web",)

    def _serve(self, listeners: Listeners) -> int:
        """Serve until SIGTERM, in the web process."""
        return web.serve(self._build, self._settings, listeners, workers=self._workers)

    def _work(self, listeners: Listeners) -> int:
        """Run every service's background tasks until SIGTERM, in the worker process."""
        listeners.close()
        stop = threading.Event()
        stop_on_signals(stop)
        with ExitStack() as closing:
            # First of all: the fork server is to have no thread, the normal priority, and a parent that lives.
            runner = closing.enter_context(self._runner())
            built = self._build(applied=self._applied, runner=runner)
            closing.callback(built.close)
            assert built.filestore is not None
            os.nice(_WORKER_NICENESS)
            closing.callback(UnixServer(environment.filestore_socket(self._data), built.filestore).start().close)
            bus = built.bus()
            closing.callback(bus.close)
            memory.freeze_gc()
            run_tasks(built.background_tasks(bus), stop)
        return 0

    def _runner(self) -> Runner:
        assert self._configuration is not None
        level = from_env(Settings, self._settings).log_level
        modules = hub.child_modules(self._configuration[0])
        environ = child_environment(self._settings)
        return Runner("crossdock", modules, environment=environ, level=level, held=self._held)

    def _build(self, applied: AppliedFile | None = None, runner: Runner | None = None) -> hub.Hub:
        assert self._configuration is not None
        return hub.build(
            self._settings, *self._configuration, applied=applied, runner=runner, started_at=self._started_at
        )
