"""How long does a page of a folder with 100,000 files take? Every sort, from its start, middle and end, and counts.

The service answers in this process, over SQLite, then over a PostgreSQL of the script's own. The same calls over a
folder with 1,000 files stand beside them. A filter is counted fresh, with another pattern each time, and again, as a
client does that pages through what it matches.
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
from tests.servers.postgresql import OwnPostgreSQL
from tests.service.filestore_svc.filestore_lab import Lab

SORTS = ("name", "size", "put_date", "read_date", "expiry_date")
SUFFIXES = ("csv", "txt", "xml", "bin")


def fill(lab, folder, number):
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
                }
                for each in range(begin, min(begin + 1000, number))
            ]
            connection.execute(sa.insert(tables.files), rows)
    if database.dialect == "postgresql":
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE files")


def calls(folder, number):
    """Yield a name and a function that makes the next query of that kind."""
    for sort, direction in itertools.product(SORTS, ("asc", "desc")):
        for place, start in (("start", 0), ("middle", number // 2), ("end", number - 100)):
            query = f"/2.0/directories{folder}?sort={sort}&direction={direction}&start={start}&limit=100"
            yield f"{sort} {direction} {place}", lambda query=query: query
    fresh = (f"/2.0/directories{folder}?limit=0&filter=*{each:02d}.csv" for each in itertools.count())
    yield "count, a fresh filter", lambda: next(fresh)
    yield "count, the same filter", lambda: f"/2.0/directories{folder}?limit=0&filter=*.csv"
    yield "filtered page, middle", lambda: f"/2.0/directories{folder}?filter=*.csv&start={number // 8}&limit=100"


def p95(lab, query, rounds):
    """Return the 95th percentile and the median of the milliseconds that a call takes."""
    times = []
    for _ in range(rounds + 3):
        path = query()
        began = time.perf_counter()
        answer = lab.get(path)
        times.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, answer.text
    del times[:3]
    return statistics.quantiles(times, n=20)[18], statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--files", type=int, default=100_000)
    options = parser.parse_args()
    logs.configure("bench", "warning")
    measure.head("filestore-svc: pages and counts of a large folder", "flask", "sqlalchemy", "psycopg")
    verdict = measure.Verdict()
    with OwnPostgreSQL(durable=True) as server:
        for url in ("", server.new_database()):
            with tempfile.TemporaryDirectory() as folder:
                run(Lab(Path(folder), database_url=url), options, verdict)
    verdict.end()


def run(lab, options, verdict):
    """Measure one database."""
    fill(lab, "/in", options.files)
    fill(lab, "/out", 1000)
    name = lab.service.database.dialect
    print(f"{name:28}{f'{options.files} files: p95, median':>28}{'1000 files: p95, median':>39}{'ratio':>8}")
    worst, ratios = 0.0, {}
    for (kind, large), (_, small) in zip(calls("/in", options.files), calls("/out", 1000), strict=True):
        # In turn, so that what else the machine does is in both.
        (high, middle), (small_high, small_middle) = p95(lab, large, options.rounds), p95(lab, small, options.rounds)
        worst, ratios[kind] = max(worst, high), middle / small_middle
        print(f"{kind:28}{high:16.1f}{middle:12.1f}{small_high:27.1f}{small_middle:12.1f}{middle / small_middle:8.2f}")
    fresh = ratios.pop("count, a fresh filter")
    verdict.goal(f"{name}: the slowest call's p95, ms", worst, at_most=50)
    verdict.goal(f"{name}: the worst ratio of medians to 1,000 files", max(ratios.values()), at_most=3)
    verdict.goal(f"{name}: that of the count of a fresh filter", fresh, at_most=3)
    lab.close()


if __name__ == "__main__":
    main()
