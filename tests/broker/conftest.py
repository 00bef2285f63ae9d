"""Worlds of events on real servers: each test has a vhost and databases of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.servers import event_world, processes, proxy, rabbitmq

ROOT = Path(__file__).parents[2]
SHAPES = ("local-sqlite", "local-postgresql", "rabbit-sqlite", "rabbit-postgresql")


@pytest.fixture
def make_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], event_world.World]]:
    """Return a function that makes the world of a shape, such as `rabbit-sqlite`."""
    with ExitStack() as stack:

        def make(shape: str) -> event_world.World:
            bus, database = shape.split("-")
            if database == "postgresql":
                url = request.getfixturevalue("postgresql_url")
                urls = (url, url)
            else:
                urls = (f"sqlite:///{tmp_path}/producer.db", f"sqlite:///{tmp_path}/consumer.db")
            amqp = request.getfixturevalue("amqp_url") if bus == "rabbit" else None
            world = event_world.World(*urls, amqp)
            stack.callback(world.close)
            world.producer.create()
            world.consumer.create()
            return world

        yield make


@pytest.fixture(params=SHAPES)
def world(request: pytest.FixtureRequest, make_world) -> event_world.World:
    """Return a world of each shape in turn."""
    return make_world(request.param)


@pytest.fixture(params=[shape for shape in SHAPES if shape.startswith("rabbit")])
def rabbit_world(request: pytest.FixtureRequest, make_world) -> event_world.World:
    """Return a world with RabbitMQ, on each database in turn."""
    return make_world(request.param)


@pytest.fixture
def way(rabbitmq_server: rabbitmq.RabbitMQ) -> Iterator[proxy.Proxy]:
    """Return a proxy before RabbitMQ."""
    with proxy.Proxy((rabbitmq_server.host, rabbitmq_server.port)) as made:
        yield made


@pytest.fixture
def through(way: proxy.Proxy, rabbitmq_server: rabbitmq.RabbitMQ) -> Callable[[event_world.World], str]:
    """Return a function that names the way through the proxy to a world's broker."""

    def url(world: event_world.World) -> str:
        assert world.amqp is not None
        return rabbitmq_server.url(urlsplit(world.amqp).path.lstrip("/"), way.port)

    return url


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Return a function that runs a relay or a consumer as a process of its own; it dies with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(role: str, world: event_world.World, *, amqp: str | None = None, **options) -> subprocess.Popen[bytes]:
        arguments = {"producer": world.urls[0], "consumer": world.urls[1], "amqp": amqp or world.amqp, **options}
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.event_program", role, json.dumps(arguments)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        processes.end(process)
        assert process.stdout is not None
        process.stdout.close()
