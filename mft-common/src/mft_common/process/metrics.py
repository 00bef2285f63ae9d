"""Count and time requests, in metrics that are right when several processes serve one address.

With `PROMETHEUS_MULTIPROC_DIR` set before this process began, prometheus-client keeps the metrics of each process in
files of that folder, and a scrape adds up all files; without it a scrape shows the process that answers it.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, request
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client import multiprocess as shared

from mft_common import addresses
from mft_common.process import metric_files

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
# Before the first metric is made.
metric_files.install()

REQUESTS = Counter("mft_requests_total", "Requests answered.", ["service", "protocol", "method", "status"])
SECONDS = Histogram(
    "mft_request_seconds",
    "Seconds from a request's head to the end of its answer.",
    ["service", "protocol"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600),
)
BYTES = Counter("mft_bytes_total", "Bytes of bodies.", ["service", "protocol", "direction"])
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"))


_counters: dict[tuple[str, str, str, int], Any] = {}
_timers: dict[tuple[str, str], Any] = {}


def count(service: str, protocol: str, method: str, status: int, seconds: float) -> None:
    """Count and time an answer; children of the metrics are cached, because finding them by labels costs more."""
    key = (service, protocol, method, status)
    counter = _counters.get(key)
    if counter is None:
        counter = _counters[key] = REQUESTS.labels(*key)
    counter.inc()
    timer = _timers.get(key[:2])
    if timer is None:
        timer = _timers[key[:2]] = SECONDS.labels(service, protocol)
    timer.observe(seconds)


def method_label(method: str) -> str:
    """Return the label of a request's method; methods that clients invent share one label."""
    return method if method in _METHODS else "other"


def render() -> bytes:
    """Return the metrics of every process that shares the folder, in Prometheus' text format."""
    folder = os.environ.get(FOLDER_VARIABLE)  # noqa: TID251 -- prometheus-client takes its folder from nowhere else
    if not folder:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    shared.MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def forget_process(pid: int) -> None:
    """Drop the gauges of a process that has ended; its counters stay part of the sums."""
    folder = os.environ.get(FOLDER_VARIABLE)  # noqa: TID251 -- as above
    if folder and Path(folder).is_dir():
        shared.mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]


def blueprint(allowed: Callable[[Mapping[str, Any]], bool] = addresses.is_local) -> Blueprint:
    """Return `/metrics`, shown to this machine alone unless `allowed(environ)` says otherwise."""
    pages = Blueprint("metrics", __name__)

    @pages.get("/metrics")
    def metrics() -> Response | tuple[dict[str, Any], int]:
        if not allowed(request.environ):
            return {"error": "metrics are shown to loopback alone"}, 403
        return Response(render(), content_type=CONTENT_TYPE_LATEST)

    return pages
