"""Measure a view of a million lines, and its buffers: `python bench/joblog.py [DATABASE_URL]`, SQLite without one.

Prints seconds for three views and the slowest of 500 random buffers in milliseconds, for records of two lines.
"""

import random
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

from mft_common import clock
from mft_common.database import Database
from mft_common.joblog import JobLog, Views, create_tables

RECORDS = 500_000
METADATA = sa.MetaData()
LOG = JobLog(METADATA)


class Migration:
    def __init__(self, connection):
        self._connection = connection

    def get_bind(self):
        return self._connection


def render(record):
    at, severity, text, _, _ = record
    return f">{severity} {clock.iso(at)}\n{text}"


def fill(database):
    with database.engine.connect() as connection, connection.begin():
        if database.dialect == "postgresql":
            connection.execute(sa.text("CREATE SCHEMA bench_joblog"))
        create_tables(Migration(connection))
    texts = [f'Transaction "outbound"; File {number}.txt delivered, 1234567 bytes.' for number in range(10_000)]
    with database.write() as connection:
        for part in range(RECORDS // len(texts)):
            LOG.append(connection, "job", 1_790_000_000_000 + part, "Informational", *texts)


def main(folder):
    url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{folder}/log.db"
    database = Database(url, schema="bench_joblog", metadata=METADATA, migrations="", head="")
    fill(database)
    views = Views(database, LOG, folder / "views", render)
    for _ in range(3):
        began = time.perf_counter()
        view = views.create("session", "job")
        print(f"view of {view.lines} lines: {time.perf_counter() - began:.2f} s")
    slowest = 0.0
    for _ in range(500):
        began = time.perf_counter()
        views.buffer("session", view.id, random.randrange(view.lines))
        slowest = max(slowest, time.perf_counter() - began)
    print(f"slowest of 500 buffers: {slowest * 1000:.2f} ms")
    database.close()


with tempfile.TemporaryDirectory() as made:
    main(Path(made))
