"""Measure the record of transfers: answers over a long history beside a short one, and how fast events get into it.

Run: python bench/record.py [answers] [hub] [events], all of them without one. It starts a PostgreSQL, a RabbitMQ and a
hub of its own.
"""

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import measure

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the tests' servers are not installed anywhere

from mft_common import logs
from mft_common.events.local_bus import LocalBus
from mft_common.events.rabbit import RabbitBus
from mqmft_svc import SERVICE
from mqmft_svc.store import transfers as store
from record_hub import ask_the_hub
from tests.servers.event_world import PRODUCER, Producer, running
from tests.servers.postgresql import OwnPostgreSQL
from tests.servers.processes import wait_until
from tests.servers.rabbitmq import OwnRabbitMQ
from tests.service.mqmft_svc.mqmft_hub import Hub, ended, transfer_id

MANY, FEW = 1_000_000, 1_000
REQUESTS = 300
LIMIT = 100
EVENTS = 20_000
PER_COMMIT = 100
GOAL_MS, GOAL_TIMES, GOAL_RATE = 20, 2, 2_000

# A million rows by one statement of the database itself; `{n}` is the number of a row and `{hex}` the end of its id.
SERIES = {
    "sqlite": (
        "WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {rows})",
        "printf('%016X', n)",
    ),
    "postgresql": ("WITH series AS (SELECT n FROM generate_series(1, {rows}) AS n)", "lpad(upper(to_hex(n)), 16, '0')"),
}
TRANSFER = {
    "id": "'414D5120514D31222222222222222222' || {hex}",
    "protocol": "'http-mft'",
    "state": "'successful'",
    "head_rank": "2",
    "sequence": "1",
    **dict.fromkeys(("started_at", "began_at", "ended_at", "updated_at"), "1780000000000 + n * 1000"),
    "description": "'BFGRP0032I: All files were transferred.'",
    "source_agent": "'CLIENT'",
    "destination_agent": "'FILESTORE'",
    **dict.fromkeys(("source_qmgr", "destination_qmgr", "home_qmgr"), "'QM1'"),
    "host": "'10.1.2.3'",
    "account": "'part1'",
    **dict.fromkeys(("mqmd_user", "label", "job_name"), "''"),
    "user_properties": """'{{"crossdock.protocol": "http-mft"}}'""",
    **dict.fromkeys(("files", "successes"), "1"),
    **dict.fromkeys(("failures", "warnings", "retries"), "0"),
    "bytes_sent": "4096",
}
LEAVES = (
    '{{"state": "successful", "source.type": "file", "source.path": "crate.bin", "source.size": 4096, '
    '"destination.type": "file", "destination.path": "/in/crate.bin", "destination.size": 4096}}'
)


def fill(database, rows):
    """Store transfers of one file each, the newest one last."""
    series, end = (text.format(rows=rows) for text in SERIES[database.dialect])
    columns = ", ".join(TRANSFER)
    values = ", ".join(value.format(hex=end) for value in TRANSFER.values())
    items = f"SELECT arrival, 0, 1, '{LEAVES.format()}', '{{}}' FROM transfer"
    with database.write() as connection:
        if database.dialect == "postgresql":
            # The triggers that count would change one row a million times in one transaction.
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            connection.exec_driver_sql(f"INSERT INTO counter VALUES (0, {rows})")
        connection.exec_driver_sql(f"INSERT INTO transfer ({columns}) {series} SELECT {values} FROM series")
        connection.exec_driver_sql(f"INSERT INTO item (transfer, position, sequence, leaves, older) {items}")
    with database.write() as connection:
        connection.exec_driver_sql("ANALYZE")


def answers(folder, server, verdict):
    """Ask the same of a long and of a short history: their medians are compared, and the long one's p95."""
    for dialect in ("sqlite", "postgresql"):
        found = {}
        for rows in (FEW, MANY):
            url = f"sqlite:///{folder}/record-{rows}.db" if dialect == "sqlite" else server.new_database()
            hub = Hub(folder, MQMFT_DATABASE_URL=url)
            began = time.perf_counter()
            fill(hub.service.database, rows)
            print(f"{dialect}: {rows} transfers stored in {time.perf_counter() - began:.1f} s", flush=True)
            found[rows] = ask_all(hub, rows)
            hub.service.close()
        print(f"{dialect:44} {MANY} transfers: p95, median, ms    {FEW} transfers: p95, median     ratio")
        worst, slowest = 0.0, 0.0
        for name, times in found[MANY].items():
            few = found[FEW][name]
            times_few = measure.median(times) / measure.median(few)
            worst, slowest = max(worst, times_few), max(slowest, p95(times))
            print(
                f"{name:44} {p95(times):22.1f} {measure.median(times):10.1f} {p95(few):24.1f} "
                f"{measure.median(few):10.1f} {times_few:9.2f}"
            )
        verdict.goal(f"{dialect}: the slowest answer's p95, ms", slowest, at_most=GOAL_MS)
        verdict.goal(f"{dialect}: the worst ratio of medians to {FEW} transfers", worst, at_most=GOAL_TIMES)


def through_the_hub(folder, _server, verdict):
    """Ask the gateway of a whole hub, 20 times a second."""
    slowest = 0.0
    for name, times in ask_the_hub(folder, MANY, fill):
        print(f"{name:12} p50 {measure.median(times):6.1f} ms   p95 {p95(times):6.1f} ms", flush=True)
        slowest = max(slowest, p95(times))
    verdict.goal("through the gateway: the slowest answer's p95, ms", slowest, at_most=GOAL_MS)


def ask_all(hub, rows):
    """Return the milliseconds of each kind of request; the ids lie in the first, the middle and the last part."""
    deep = [transfer_id(max(LIMIT + 1, rows // 10) + number) for number in range(LIMIT // 2)]
    calls = {
        f"list, limit={LIMIT}": lambda _id: f"?limit={LIMIT}",
        f"list, before one deep in the past, limit={LIMIT}": lambda id_: f"?before={id_}&limit={LIMIT}",
        f"list, after one deep in the past, limit={LIMIT}": lambda id_: f"?after={id_}&limit={LIMIT}",
        "one": lambda id_: f"/{id_}",
        "one, attributes=*": lambda id_: f"/{id_}?attributes=*",
    }
    found = {}
    for name, path in calls.items():
        times = []
        for number in range(REQUESTS + 10):
            began = time.perf_counter()
            answer = hub.mft(path(deep[number % len(deep)]), version="v2")
            times.append((time.perf_counter() - began) * 1000)
            assert answer.status_code == 200, answer.text
            expected = LIMIT if name.startswith("list") else 1
            assert len(answer.json["transfer"]) == expected, len(answer.json["transfer"])
        found[name] = times[10:]
    return found


def p95(times):
    """Return the 95th percentile."""
    return sorted(times)[int(len(times) * 0.95)]


def events(folder, server, verdict):
    """Let one worker record the ends of transfers that wait: in outboxes on one machine, in a broker on many."""
    with OwnRabbitMQ() as broker:
        for dialect in ("sqlite", "postgresql"):
            urls = [
                f"sqlite:///{folder}/events-{side}.db" if dialect == "sqlite" else server.new_database()
                for side in ("producer", "record")
            ]
            with ExitStack() as closing:
                producer = Producer(urls[0])
                closing.callback(producer.database.close)
                producer.create()
                hub = Hub(folder, MQMFT_DATABASE_URL=urls[1])
                closing.callback(hub.service.close)
                if dialect == "sqlite":
                    bus = LocalBus({PRODUCER: producer.database, SERVICE: hub.service.database})
                else:
                    bus = RabbitBus(broker.url(broker.new_vhost()))
                closing.callback(bus.close)
                rate = recorded(bus, producer, hub)
            verdict.goal(f"{dialect}: events a second, one worker", rate, at_least=GOAL_RATE)


def recorded(bus, producer, hub):
    """Return how many events a second one worker records."""
    service = hub.service
    consume = bus.consume_tasks(SERVICE, service.database, service.inbox, hub.handlers)
    relay = bus.relay_tasks(producer.database, producer.outbox)

    def total():
        with service.database.read() as connection:
            return store.count(connection)

    # Once around, so that the broker has the queue when the events come.
    with running([*consume, *relay]):
        producer.commit(ended(0))
        wait_until(lambda: total() == 1, within=60, what="the first event")
    for start in range(1, EVENTS + 1, PER_COMMIT):
        producer.commit(*(ended(number) for number in range(start, start + PER_COMMIT)))
    if relay:
        with running(relay):
            wait_until(lambda: producer.unpublished() == 0, within=120, what="the relay")
    with running(consume):
        wait_until(lambda: total() > 1, within=60, every=0.005, what="the first batch")
        began, already = time.perf_counter(), total()
        wait_until(lambda: total() > EVENTS, within=120, every=0.05, what="all events")
        seconds = time.perf_counter() - began
    return (EVENTS + 1 - already) / seconds


PARTS = {"answers": answers, "hub": through_the_hub, "events": events}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=", ".join(PARTS))
    parts = parser.parse_args().parts or PARTS
    measure.head("bench/record.py: the record of transfers", "flask", "sqlalchemy", "psycopg", "pika")
    logs.configure(SERVICE, "warning")
    verdict = measure.Verdict()
    with tempfile.TemporaryDirectory(prefix="record-") as folder, OwnPostgreSQL(durable=True) as server:
        for part in parts:
            print(f"\n## {part}")
            PARTS[part](Path(folder), server, verdict)
    verdict.end()


if __name__ == "__main__":
    main()
