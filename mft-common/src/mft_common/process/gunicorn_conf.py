"""How gunicorn serves a service behind the gateway.

Used as `gunicorn -c python:mft_common.process.gunicorn_conf 'x_svc.app:create_app()'`. `MFT_LISTEN`,
`MFT_WEB_PROCESSES`, `MFT_WEB_THREADS` and `MFT_DRAIN_S` change these settings; gunicorn's command line overrides them.
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
# Longer than the gateway leaves a connection idle, so that it never sends a request into a closing one.
keepalive = 75
# The main loop beats also while threads stream for hours, so that this ends only a process that hangs.
timeout = 60
graceful_timeout = int(_environ.get("MFT_DRAIN_S", "30"))
worker_tmp_dir = "/dev/shm"  # noqa: S108 -- gunicorn keeps the heartbeat file of each worker there
control_socket_disable = True
# Address and scheme are in the gateway's signed identity; forwarded headers do not count.
forwarded_allow_ips = ""
proxy_allow_ips = ""
limit_request_line = 0
limit_request_field_size = 65_536
# More than the gateway takes (`GATEWAY_HEAD_FIELDS`) and adds: a request that it took must not fail here.
limit_request_fields = 1000
accesslog = None
loglevel = "warning"
logger_class = JsonLogger


def child_exit(_server: Any, worker: Any) -> None:
    """Drop the gauges of a process that has ended; gunicorn calls it in the parent."""
    metrics.forget_process(worker.pid)


def post_worker_init(_worker: Any) -> None:
    """Freeze the garbage collector once the application is built."""
    memory.freeze_gc()
