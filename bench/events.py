"""Measure how many events a second go from an outbox through RabbitMQ to an inbox, and how soon one is there.

`python bench/events.py` starts servers of its own (which fsync) and the workers as processes of their own, and ends
with 1 when a goal is missed.
"""

import datetime as dt
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the tests' servers are not installed anywhere

from tests.servers.event_world import World, stored  # noqa: E402 -- found by the line above
from tests.servers.postgresql import OwnPostgreSQL  # noqa: E402
from tests.servers.processes import end, wait_until  # noqa: E402
from tests.servers.rabbitmq import OwnRabbitMQ  # noqa: E402

EVENTS = 30_000
PER_COMMIT = 100
RATE_GOAL = 3_000
SAMPLES = 200
EVERY_S = 0.02
LATENCY_GOAL_MS = 100.0


@contextmanager
def worker(role: str, world: World) -> Iterator[None]:
    """Run a relay or a consumer as a process of its own."""
    arguments = json.dumps({"producer": world.urls[0], "consumer": world.urls[1], "amqp": world.amqp})
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.servers.event_program", role, arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    try:
        yield
    finally:
        end(process)


def warm_up(world: World) -> None:
    """Wait until the workers have brought one event through."""
    before = world.consumer.count()
    world.producer.commit(stored("/in/warm-up"))
    wait_until(lambda: world.consumer.count() > before, within=60, what="the first effect")


def rate(world: World) -> float:
    """Fill the outbox, let the relay loose, and return the events per second that had their effect."""
    with worker("consume", world):
        with worker("relay", world):
            warm_up(world)
        events = [stored(f"/in/{number}.csv") for number in range(EVENTS)]
        for start in range(0, EVENTS, PER_COMMIT):
            world.producer.commit(*events[start : start + PER_COMMIT])
        first = world.consumer.count()
        with worker("relay", world):
            wait_until(lambda: world.consumer.count() > first, within=60, every=0.002)
            began, already = time.monotonic(), world.consumer.count()
            wait_until(lambda: world.consumer.count() >= first + EVENTS, within=120, every=0.05)
            took = time.monotonic() - began
            wait_until(lambda: world.producer.unpublished() == 0, within=60)
    assert world.consumer.count() == first + EVENTS, "an event had its effect twice"
    return (first + EVENTS - already) / took


def latencies(world: World) -> list[float]:
    """Commit one event at a time and return how many milliseconds later its effect could be read."""
    found = []
    pause = threading.Event()
    with worker("consume", world), worker("relay", world) if world.amqp else ExitStack():
        warm_up(world)
        for number in range(SAMPLES):
            before = world.consumer.count()
            world.producer.commit(stored(f"/in/{number}.csv"))
            committed = time.monotonic()
            wait_until(lambda before=before: world.consumer.count() > before, every=0.0005)  # type: ignore[misc]
            found.append((time.monotonic() - committed) * 1000)
            pause.wait(EVERY_S)
    return found


def report_rate(name: str, world: World) -> bool:
    """Print the rate of a world and whether it reaches the goal."""
    measured = rate(world)
    good = measured >= RATE_GOAL
    print(f"{name:32} {measured:8.0f} events/s  (goal {RATE_GOAL}) {'ok' if good else 'MISSED'}", flush=True)
    return good


def report_latency(name: str, world: World) -> bool:
    """Print the latencies of a world and whether their median reaches the goal."""
    measured = latencies(world)
    p50, p99 = statistics.median(measured), statistics.quantiles(measured, n=100)[98]
    good = p50 < LATENCY_GOAL_MS
    verdict = "ok" if good else "MISSED"
    print(f"{name:32} p50 {p50:6.1f} ms, p99 {p99:6.1f} ms  (goal p50 < {LATENCY_GOAL_MS:.0f}) {verdict}", flush=True)
    return good


def main() -> int:
    """Run all measurements."""
    now = dt.datetime.now(dt.UTC)
    print(
        f"{now:%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, {platform.machine()}, "
        f"{platform.system()} {platform.release()}"
    )
    packages = ", ".join(f"{name} {version(name)}" for name in ("pika", "sqlalchemy", "psycopg", "marshmallow"))
    print(f"Python {platform.python_version()}, {packages}")
    results = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mft-bench-")))
        broker = stack.enter_context(OwnRabbitMQ())
        overview = json.loads(broker.api("GET", "/overview"))
        print(f"RabbitMQ {overview['rabbitmq_version']}, {EVENTS} events, committed {PER_COMMIT} at a time beforehand")
        postgres = stack.enter_context(OwnPostgreSQL(durable=True))

        def made(name: str, *, sqlite: bool, amqp: bool) -> World:
            url = None if sqlite else postgres.new_database()
            urls = [url or f"sqlite:///{folder}/{name}-{side}.db" for side in ("producer", "consumer")]
            world = World(urls[0], urls[1], broker.url(broker.new_vhost()) if amqp else None)
            stack.callback(world.close)
            world.producer.create()
            world.consumer.create()
            return world

        results.append(report_latency("local bus, SQLite", made("a", sqlite=True, amqp=False)))
        results.append(report_latency("RabbitMQ, SQLite", made("b", sqlite=True, amqp=True)))
        results.append(report_latency("RabbitMQ, PostgreSQL", made("c", sqlite=False, amqp=True)))
        results.append(report_rate("outbox to inbox, SQLite", made("d", sqlite=True, amqp=True)))
        results.append(report_rate("outbox to inbox, PostgreSQL", made("e", sqlite=False, amqp=True)))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
