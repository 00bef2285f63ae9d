"""Let gunicorn's own lines join the one JSON stream."""

from typing import Any

from gunicorn.glogging import Logger


class JsonLogger(Logger):
    """Sends what gunicorn says to the root logger, which `mft_common.logs` has set up; there is no access log here."""

    def setup(self, cfg: Any) -> None:
        """Take the level from gunicorn's settings and leave the form to the root logger."""
        self.error_log.propagate = True
        self.error_log.setLevel(cfg.loglevel.upper())
        self.access_log.disabled = True

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Write nothing: the door has its own line for each request."""
