"""List and replay the dead letters of a hub, and of an MFT network, from the command line."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from crossdock import environment
from crossdock.databases import open_database
from crossdock.errors import CannotStart
from filestore_svc.events import COMPOSITES
from mft_common.events import Bus, DeadLetter, LocalBus
from mft_common.events.catalogue import register_composites
from mft_common.events.rabbit import RabbitBus
from mft_common.events.rabbit import dead_letters as rabbit
from mft_common.events.rabbit.foreign_queue import ForeignSettings
from mft_common.events.topology import CONSUMERS
from mft_common.settings import lookup
from mqmft_svc import ingestion
from mqmft_svc.settings import Settings

_MOST: Final = 1_000


# The name under which the messages of an MFT network that could not be read are listed and replayed.
TRANSFERLOG: Final = "transferlog"


def _transferlog(environ: Mapping[str, str]) -> ForeignSettings | None:
    """Return the queue of an MFT network's messages, None where the environment names no broker for it."""
    return ingestion.source(Settings.from_env(environment.of_a_check(environ)))


@contextmanager
def _bus(data: Path, environ: Mapping[str, str]) -> Iterator[Bus]:
    """Open the hub's bus, and connections to its databases without migrating or configuring them."""
    register_composites(COMPOSITES)
    if amqp_url := lookup("MFT_AMQP_URL", environ):
        bus: Bus = RabbitBus(amqp_url)
    elif (data / "state").is_dir():
        urls = environment.database_urls(data, environ)
        services = {service: urls[f"{prefix}_DATABASE_URL"] for prefix, service in environment.DATABASES.items()}
        bus = LocalBus({name: open_database(name, url) for name, url in services.items()})
    else:
        raise CannotStart(f"there is no hub's data in {data}: name the folder with --data")
    try:
        yield bus
    finally:
        bus.close()


def listing(data: Path, environ: Mapping[str, str], service: str | None) -> Iterator[tuple[str, DeadLetter]]:
    """Yield `(service, dead letter)`, the oldest first within each service."""
    if service != TRANSFERLOG:
        names = [_known(service)] if service else sorted(CONSUMERS)
        with _bus(data, environ) as bus:
            for name in names:
                for letter in bus.dead_letters(name):
                    yield name, letter
    # Last: the broker of another system may be away.
    source = _transferlog(environ) if service in {None, TRANSFERLOG} else None
    if service == TRANSFERLOG or source is not None:
        source = _require(source)
        for letter in rabbit.dead_letters(source, source.queue, _MOST):
            yield TRANSFERLOG, letter


def replay(data: Path, environ: Mapping[str, str], service: str, ids: Collection[str] | None) -> int:
    """Deliver dead letters again and return how many."""
    if service == TRANSFERLOG:
        source = _require(_transferlog(environ))
        return rabbit.replay(source, source.queue, ids)
    with _bus(data, environ) as bus:
        return bus.replay(_known(service), ids)


def _require(source: ForeignSettings | None) -> ForeignSettings:
    if source is None:
        raise CannotStart("MQMFT_TRANSFERLOG_URL names no broker")
    return source


def _known(service: str) -> str:
    if service not in CONSUMERS:
        raise CannotStart(f"{service} handles no events; these do: {', '.join(sorted(CONSUMERS))}")
    return service
