"""Write gunicorn's own log lines to the same JSON stream as all others."""

from typing import Any

from gunicorn.glogging import Logger


class JsonLogger(Logger):
    """Sends gunicorn's log lines to the root logger, which `mft_common.logs` has set up; there is no access log."""

    def setup(self, cfg: Any) -> None:
        """Set the level of gunicorn's settings; the root logger formats the lines."""
        self.error_log.propagate = True
        self.error_log.setLevel(cfg.loglevel.upper())
        self.access_log.disabled = True

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Write nothing: the gateway logs each request itself."""
