"""Measure how fast the messages of an MFT network get into the record.

Run: python bench/transferlog.py. It starts a PostgreSQL and a RabbitMQ of its own.
"""

import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import pika

import measure

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the tests' servers are not installed anywhere

from mft_common import logs
from mqmft_svc import bootstrap, ingestion
from mqmft_svc.settings import Settings
from mqmft_svc.store import transfers as store
from tests.servers.event_world import running
from tests.servers.postgresql import OwnPostgreSQL
from tests.servers.processes import wait_until
from tests.servers.rabbitmq import OwnRabbitMQ
from tests.unit.mqmft_svc.transferlog_messages import completed, item, progress, started

TRANSFERS = 3_000
FILES = 2
QUEUE = "SYSTEM.FTE.LOG"
GOAL_RATE = 500


def messages(number):
    """Return the messages of a transfer of two files."""
    id_ = f"{number:048X}"
    moved = progress(50, [item(place) for place in range(FILES)], sent=200, id_=id_)
    return started(id_=id_), moved, completed(id_=id_)


def publish(url):
    """Put the messages of all transfers into the queue; return how many, and their mean size."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
    count, size = 0, 0
    for number in range(TRANSFERS):
        for body in messages(number):
            channel.basic_publish("", QUEUE, body, pika.BasicProperties(delivery_mode=2))
            count, size = count + 1, size + len(body)
    channel.queue_declare(QUEUE, passive=True)
    connection.close()
    return count, size // count


def over(service):
    """Return how many transfers are over."""
    with service.database.read() as connection:
        return sum(one.ended_at is not None for one in store.newest(connection, TRANSFERS))


def measured(database, amqp):
    """Record all messages, and return how many there were a second."""
    count, size = publish(amqp)
    environ = {"MQMFT_DATABASE_URL": database, "MQMFT_COORDINATION_QMGR": "QM1", "MQMFT_TRANSFERLOG_URL": amqp}
    service = bootstrap.build(Settings.from_env(environ), directory=object(), config={})
    began = time.monotonic()
    with running(ingestion.tasks(service.settings, service.database, service.operations.recorder)):
        wait_until(lambda: over(service) == TRANSFERS, within=300, every=0.1, what="all transfers")
        seconds = time.monotonic() - began
    service.close()
    print(f"{count} messages of {size} bytes in {seconds:.1f} s")
    return count / seconds


def main():
    """Measure both databases."""
    measure.head("bench/transferlog.py: the messages of an MFT network", "sqlalchemy", "psycopg", "pika")
    logs.configure("bench", "warning")
    verdict = measure.Verdict()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        broker = stack.enter_context(OwnRabbitMQ())
        server = stack.enter_context(OwnPostgreSQL(durable=True))
        for kind, database in (("sqlite", f"sqlite:///{folder}/mqmft.db"), ("postgresql", server.new_database())):
            rate = measured(database, broker.url(broker.new_vhost()))
            verdict.goal(f"{kind}: messages a second, one worker", rate, at_least=GOAL_RATE)
    verdict.end()


if __name__ == "__main__":
    main()
