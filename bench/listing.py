"""How long does a page of a folder with 100,000 files take? Every sort, from its start, middle and end, and counts.

The service answers in this process, over SQLite, then over a PostgreSQL of the script's own. The same calls over a
folder with 1,000 files stand beside them. A filter is counted fresh, with another pattern each time, and again, as a
client does that pages through what it matches. Then the pages once more where all files have the same keys, and where
some have expired and were not swept yet.
"""

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

import measure

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the tests' lab is not installed anywhere

from filestore_svc.store import tables
from mft_common import logs
from mft_common.process import memory
from tests.servers.postgresql import OwnPostgreSQL
from tests.service.filestore_svc.filestore_lab import Lab

SORTS = ("name", "size", "put_date", "read_date", "expiry_date")
SUFFIXES = ("csv", "txt", "xml", "bin")
# Filters that were never counted before: another number each time.
FRESH = {
    "a fresh *text": "*{:02d}.csv",
    "a fresh text*": "order-{:03d}*",
    "a fresh text*text": "order-*{:02d}.csv",
    "a fresh *text*": "*-{:03d}*",
}
# What is harder to page through: many more files of one key than are on a page, in every sort but by name, and some
# that have expired and wait for the sweeper.
HARDER = {
    "all of one size and date": lambda _: {
        "size": 1024,
        "put_at": 1_700_000_000_000,
        "first_read_at": 0,
        "expires_at": 0,
    },
    "one of a hundred expired": lambda each: {"expires_at": 0 if each % 100 else 1},
}


def fill(lab, folder, number, harder=lambda _: {}):
    """Put rows for `number` files into a folder; nobody reads their bytes."""
    database = lab.service.database
    with database.write() as connection:
        query = sa.select(tables.folders.c.id).where(tables.folders.c.path == folder)
        folder_id = connection.execute(query).scalar_one()
        first = connection.execute(sa.select(sa.func.coalesce(sa.func.max(tables.files.c.fileset), 0))).scalar_one() + 1
        texts = {"sha256": "0" * 64, "datatype": "text/plain", "owner": "part1"}
        texts |= dict.fromkeys(("dst_file_name", "correlation_id", "description"), "")
        for begin in range(0, number, 1000):
            rows = [
                {
                    **texts,
                    "fileset": first + each,
                    "folder_id": folder_id,
                    "name": f"order-{each * 7919 % number:06d}.{SUFFIXES[each % 4]}",
                    "size": each * 31 % 5000,
                    **dict.fromkeys(("created_at", "modified_at", "put_at"), 1_700_000_000_000 + each // 3),
                    "first_read_at": 0 if each % 2 else 1_700_000_100_000 + each,
                    "accessed_at": 0,
                    "expires_at": 0 if each % 5 else 4_000_000_000_000 + each % 1000,
                    **harder(each),
                }
                for each in range(begin, min(begin + 1000, number))
            ]
            connection.execute(sa.insert(tables.files), rows)
    if database.dialect == "postgresql":
        # What it does by itself some seconds after many changes.
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE files")


def calls(folder, number, *, filters):
    """Yield a name and a function that makes the next query of that kind."""
    here = f"/2.0/directories{folder}"
    for sort, direction in itertools.product(SORTS, ("asc", "desc")):
        for place, start in (("start", 0), ("middle", number // 2), ("end", number - 100)):
            query = f"{here}?sort={sort}&direction={direction}&start={start}&limit=100"
            yield f"{sort} {direction} {place}", lambda query=query: query
    if not filters:
        return
    for sort, direction in itertools.product(SORTS, ("asc", "desc")):
        query = f"{here}?filter=*.csv&sort={sort}&direction={direction}&start={number // 8}&limit=100"
        yield f"*.csv {sort} {direction} middle", lambda query=query: query
    for name, pattern in FRESH.items():
        fresh = (f"{here}?limit=0&filter={pattern.format(each)}" for each in itertools.count())
        yield f"count, {name}", lambda fresh=fresh: next(fresh)
    yield "count, the same filter", lambda: f"{here}?limit=0&filter=*.csv"


def timed(lab, query):
    """Return the milliseconds that a call takes."""
    path = query()
    began = time.perf_counter()
    answer = lab.get(path)
    took = (time.perf_counter() - began) * 1000
    assert answer.status_code == 200, answer.text
    return took


def p95(times):
    """Return the 95th percentile."""
    return statistics.quantiles(times, n=20)[18]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--files", type=int, default=100_000)
    options = parser.parse_args()
    logs.configure("bench", "warning")
    measure.head("filestore-svc: pages and counts of a large folder", "flask", "sqlalchemy", "psycopg")
    verdict = measure.Verdict()
    with OwnPostgreSQL(durable=True) as server:
        for dialect, kind in itertools.product(("sqlite", "postgresql"), ("", *HARDER)):
            with tempfile.TemporaryDirectory() as folder:
                url = server.new_database() if dialect == "postgresql" else ""
                run(Lab(Path(folder), database_url=url), options, verdict, kind)
    verdict.end()


def run(lab, options, verdict, kind):
    """Measure one database, as a rule or with files of a harder kind."""
    folders = (("/in", options.files), ("/out", 1000))
    for folder, number in folders:
        fill(lab, folder, number, **({"harder": HARDER[kind]} if kind else {}))
    # As every process of the hub does: else this script's own collections are the slowest calls.
    memory.freeze_gc()
    name = f"{lab.service.database.dialect}{kind and ', '}{kind}"
    print(f"{name:36}{f'{options.files} files: p95, median':>28}{'1000 files: p95, median':>39}{'ratio':>8}")
    worst, ratios, fresh = compare(lab, options, *(calls(*each, filters=not kind) for each in folders))
    verdict.goal(f"{name}: the slowest call's p95, ms", worst, at_most=50)
    verdict.goal(f"{name}: the worst ratio of medians to 1,000 files", max(ratios.values()), at_most=3)
    for each, ratio in fresh.items():
        verdict.goal(f"{name}: that of the {each}", ratio, at_most=3)
    lab.close()


def compare(lab, options, large_calls, small_calls):
    """Return the worst p95, the ratios to the small folder, and those of filters that were never counted."""
    worst, ratios, fresh = 0.0, {}, {}
    for (kind, large), (_, small) in zip(large_calls, small_calls, strict=True):
        # In turn, so that what else the machine does is in both.
        both = [(timed(lab, large), timed(lab, small)) for _ in range(options.rounds + 3)][3:]
        ours, others = zip(*both, strict=True)
        middle, small_middle = statistics.median(ours), statistics.median(others)
        worst = max(worst, p95(ours))
        (fresh if "fresh" in kind else ratios)[kind] = ratio = middle / small_middle
        print(f"{kind:36}{p95(ours):16.1f}{middle:12.1f}{p95(others):27.1f}{small_middle:12.1f}{ratio:8.2f}")
    return worst, ratios, fresh


if __name__ == "__main__":
    main()
