"""Count and time requests, in metrics that are right when several processes serve one address.

With `PROMETHEUS_MULTIPROC_DIR` set before this process began, prometheus-client keeps the metrics of each process in
files of that folder, and a scrape adds up all files; without it a scrape shows the process that answers it.
"""

import ipaddress
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from flask import Blueprint, Response, request
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client import multiprocess as shared

from mft_common import addresses
from mft_common.process import metric_files

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
FROM_VARIABLE = "MFT_METRICS_FROM"
# Before the first metric is made.
metric_files.install()

REQUESTS = Counter("mft_requests_total", "Requests answered.", ["service", "protocol", "route", "method", "status"])
SECONDS = Histogram(
    "mft_request_seconds",
    "Seconds from a request's head to the end of its answer.",
    ["service", "protocol", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600),
)
BYTES = Counter("mft_bytes_total", "Bytes of bodies.", ["service", "protocol", "direction"])
# Bounds for jobs, transfers and executions: from moments to a day.
SECONDS_OF_WORK: Final = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400)
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"))


_counters: dict[tuple[str, str, str, str, int], Any] = {}
_timers: dict[tuple[str, str, str], Any] = {}

# The route of requests whose path has none: paths that clients invent share one label.
NO_ROUTE = "none"


def count(service: str, protocol: str, route: str, method: str, status: int, *, seconds: float) -> None:
    """Count and time an answer; `route` is the template of a path, never a path itself.

    Children of the metrics are cached, because finding them by labels costs more.
    """
    key = (service, protocol, route, method, status)
    counter = _counters.get(key)
    if counter is None:
        counter = _counters[key] = REQUESTS.labels(*key)
    counter.inc()
    timer = _timers.get(key[:3])
    if timer is None:
        timer = _timers[key[:3]] = SECONDS.labels(service, protocol, route)
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


def scraper_networks() -> list[addresses.Network]:
    """Return the networks that may scrape processes behind the gateway; ValueError for a text that is none."""
    text = os.environ.get(FROM_VARIABLE, "")  # noqa: TID251 -- every process with this page has it, whatever its settings
    return [ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip()]


def by_network() -> Callable[[Mapping[str, Any]], bool]:
    """Return whether a request comes from this machine or from a network of `MFT_METRICS_FROM`, sent on by no proxy."""
    networks = scraper_networks()

    def allowed(environ: Mapping[str, Any]) -> bool:
        within = addresses.is_within(environ.get("REMOTE_ADDR", ""), networks)
        return addresses.is_local(environ) or (within and not addresses.is_forwarded(environ))

    return allowed


def blueprint(allowed: Callable[[Mapping[str, Any]], bool] | None = None) -> Blueprint:
    """Return `/metrics`, shown where `allowed(environ)` says so; by default as `by_network` says."""
    pages, may_see = Blueprint("metrics", __name__), allowed or by_network()

    @pages.get("/metrics")
    def metrics() -> Response | tuple[dict[str, Any], int]:
        if not may_see(request.environ):
            return {"error": "metrics are not shown to this address"}, 403
        return Response(render(), content_type=CONTENT_TYPE_LATEST)

    return pages
