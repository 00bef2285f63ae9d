"""gunicorn's settings, the same for one machine and for a container."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway.serving.limits import ServingLimits
from gateway.serving.scoreboard import Scoreboard
from gateway.serving.worker import Worker, child_exit


def gunicorn_options(*, bind: Sequence[str], workers: int, limits: ServingLimits | None = None) -> dict[str, Any]:
    """Return gunicorn's settings for listeners `bind` (`host:port`) and so many processes.

    gunicorn itself trusts no forwarded header and speaks no HTTP/2; the pipeline decides whose headers count. Files
    that it would write outside the data folder are off, or in memory where the system has such a folder.
    """
    limits = limits or ServingLimits()
    memory = Path("/dev/shm")  # noqa: S108 -- gunicorn keeps the heartbeat file of each worker there
    return {
        "bind": list(bind),
        "workers": workers,
        "worker_class": type("Worker", (Worker,), {"limits": limits, "scoreboard": Scoreboard()}),
        "child_exit": child_exit,
        "threads": 1,
        "timeout": 60,
        "graceful_timeout": int(limits.grace + limits.drain) + 5,
        "backlog": 2048,
        "forwarded_allow_ips": "",
        "forwarder_headers": "",
        "secure_scheme_headers": {},
        "header_map": "drop",
        "http_protocols": "h1",
        "control_socket_disable": True,
        "worker_tmp_dir": str(memory) if memory.is_dir() else None,
        "accesslog": None,
        "errorlog": "-",
        "loglevel": "warning",
        "proc_name": "crossdock",
    }
