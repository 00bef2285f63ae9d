"""How gunicorn serves a service behind the gateway.

Used as `gunicorn -c python:mft_common.process.gunicorn_conf 'x_svc.app:create_app()'`. `MFT_LISTEN`,
`MFT_WEB_PROCESSES` and `MFT_WEB_THREADS` change what matters; gunicorn's own command line wins over all.
"""

import os
from typing import Any

from mft_common.process import memory, metrics
from mft_common.process.gunicorn_logs import JsonLogger
from mft_common.process.gunicorn_worker import Worker

_environ = os.environ  # noqa: TID251 -- gunicorn reads its settings from this module before any application exists

bind = _environ.get("MFT_LISTEN", "0.0.0.0:8000")
workers = int(_environ.get("MFT_WEB_PROCESSES", "2"))
threads = int(_environ.get("MFT_WEB_THREADS", "32"))
worker_class = Worker
worker_connections = 2000
# The gateway keeps connections open longer than it leaves them idle, so that it never sends into a closing one.
keepalive = 75
# A worker's silence is no sign of trouble here: threads of one that streams for hours still answer its heart beat.
timeout = 60
graceful_timeout = int(_environ.get("MFT_DRAIN_S", "30"))
worker_tmp_dir = "/dev/shm"  # noqa: S108 -- gunicorn's heart beat, no file of ours
control_socket_disable = True
# The gateway's signed identity tells address and scheme; no forwarded header is believed.
forwarded_allow_ips = ""
proxy_allow_ips = ""
limit_request_line = 0
limit_request_field_size = 65_536
accesslog = None
loglevel = "warning"
logger_class = JsonLogger


def child_exit(_server: Any, worker: Any) -> None:
    """Drop the gauges of a worker process that has ended."""
    metrics.forget_process(worker.pid)


def post_worker_init(_worker: Any) -> None:
    """Settle down, now that the application is built."""
    memory.freeze_gc()
