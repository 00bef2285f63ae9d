"""What the processes of a hub on one machine run, and the configuration that is in force among them."""

import os
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from crossdock import applying, configuration, hub, web
from crossdock.errors import CannotStart
from gateway.settings import Settings
from mft_common import logs
from mft_common.config import Reader
from mft_common.errors import ConfigError
from mft_common.process import memory
from mft_common.process.background_tasks import run_tasks, stop_on_signals
from mft_common.settings import from_env

if TYPE_CHECKING:
    import socket

Configuration = tuple[dict[str, Any], Reader]

_BEHIND: Final = 10


class Machine:
    """The hub of one machine, as its watching process sees it; its children are forked with what it holds."""

    def __init__(self, settings: Mapping[str, str], state: Path, workers: int) -> None:
        self.sockets: Sequence[socket.socket] = ()
        self.tls: tuple[Path, Path] | None = None
        self._settings = settings
        self._state = state
        self._workers = workers
        self._in_force: Configuration | None = None
        logs.configure("crossdock", from_env(Settings, settings).log_level)

    def take(self, wanted: Configuration) -> None:
        """Validate a configuration as a whole, and bring tables, accounts and folders to it.

        ConfigError lists every problem; nothing has changed then. What an earlier end left behind is cleared as well.
        """
        configuration.validate(*wanted, self._settings)
        hub.build(self._settings, *wanted, apply_accounts=True).close()
        self._in_force = wanted

    def reload(self) -> Collection[str]:
        """Take the configuration that `crossdock apply` names; jobs go on, so the worker is not replaced."""
        try:
            request, file = applying.requested(self._state)
        except CannotStart:
            return ()
        try:
            self.take(configuration.read(file, self._settings, demo=False))
        except ConfigError as error:
            logs.get("machine").warning("configuration.refused", file=str(file), problems=len(error.problems))
            applying.answer(self._state, request, error.problems)
            return ()
        logs.get("machine").info("configuration.applied", file=str(file))
        applying.answer(self._state, request, [])
        return ("web",)

    def web(self) -> int:
        """Serve until SIGTERM: what the web child runs."""
        return web.serve(self._build, self._settings, self.sockets, workers=self._workers, tls=self.tls)

    def worker(self) -> int:
        """Run every service's worker until SIGTERM: what the other child runs."""
        for one in self.sockets:
            one.close()
        stop = threading.Event()
        stop_on_signals(stop)
        made = self._build()
        # Whoever waits for an answer goes before what nobody waits for.
        os.nice(_BEHIND)
        bus = made.bus()
        memory.freeze_gc()
        try:
            run_tasks(made.background_tasks(bus), stop)
        finally:
            bus.close()
            made.close()
        return 0

    def _build(self) -> hub.Hub:
        assert self._in_force is not None
        return hub.build(self._settings, *self._in_force)
