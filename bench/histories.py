"""Measure what clients read of the Diplomat service: transactionStatuses, views of logs, and many pollers at once.

Run: python bench/histories.py [statuses] [views] [pollers], all of them without one.
"""

import argparse
import asyncio
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import measure
from diplomat_hub import PATH, Hub, changes, percentile, text, transaction
from jobs import lay_out

TRANSACTIONS = 1_000
HISTORIES = 100_000
LINES = 1_000_000
REQUESTS = 200
POLLERS = 50
POLL_EVERY_S = 0.1
JOBS_A_SECOND = 20
POLLED = 200


def filled(folder, transactions, fill):
    """Return a hub whose database was filled while it did not run; `fill` gets a connection."""
    hub = Hub(folder, transactions, queue_limit=1000)
    with hub:
        pass
    with sqlite3.connect(hub.database) as connection:
        fill(connection)
    connection.close()
    return hub


def histories(connection):
    """Store a hundred jobs of each transaction, with one file each, and make the last the most recent."""
    kept = connection.execute("SELECT id, name, definition, stamp FROM transactions ORDER BY id").fetchall()
    base, jobs, files = int(time.time() * 1000) - 10 * HISTORIES, [], []
    for number in range(1, HISTORIES + 1):
        identity, _, definition, _ = kept[number % len(kept)]
        at = base + 10 * number
        jobs.append(
            {
                "sequence": number, "transaction_id": identity, "definition": definition, "variables": "{}",
                "account": "Administrator", "label": "", "address": "", "transfer_id": f"{number:048x}",
                "request_id": "bench", "status": "Complete", "scheduled_at": at, "updated_at": at + 5,
                "began_at": at + 1, "ended_at": at + 5, "completion": "Successful", "found": 1, "successful": 1,
                "failed": 0, "warnings": 0, "retries": 0, "attempt": 1, "bytes_total": 1024, "bytes_done": 1024,
                "lease": 1, "owner": None,
            }
        )  # fmt: skip
        files.append((number, f"file{number}.bin", at + 1, at + 5))
    names = list(jobs[0])
    marks = ", ".join(f":{name}" for name in names)
    connection.executemany(f"INSERT INTO jobs ({', '.join(names)}) VALUES ({marks})", jobs)
    connection.executemany(
        "INSERT INTO files (sequence, place, source, destination, status, description, size, began_at, retries,"
        " bytes_done, ended_at, completion)"
        " VALUES (?1, 0, ?2, ?2, 'Complete', '', 1024, ?3, 0, 1024, ?4, 'Successful')",
        files,
    )
    connection.execute(
        "UPDATE transactions SET last_completion = 'Successful', (last_sequence, stamp) ="
        " (SELECT max(sequence), max(updated_at) FROM jobs WHERE transaction_id = transactions.id)"
    )
    connection.execute("UPDATE clock SET sequence = ?", (HISTORIES + 1,))


def statuses(folder, verdict):
    """Measure transactionStatuses over many transactions and histories: all of them, and those after a stamp."""
    made = [transaction(f"t{number:04d}", "file:from", "file:to") for number in range(TRANSACTIONS)]
    with filled(folder, made, histories) as hub:
        client = hub.client()
        stamps = [row[0] for row in hub.rows("SELECT stamp FROM transactions ORDER BY stamp DESC LIMIT 11")]
        cases = {
            "all": (),
            "since, 10 changed": (("since", str(stamps[10])),),
            "since, none": (("since", str(stamps[0])),),
        }
        for name, pairs in cases.items():
            times, used = [], hub.processor()
            for _ in range(REQUESTS):
                began = time.perf_counter()
                body = client.call("transactionStatuses", *pairs)
                times.append((time.perf_counter() - began) * 1000)
            used = (hub.processor() - used) / REQUESTS * 1000
            count = len(changes(body))
            middle = percentile(times, 0.5)
            print(f"{name}: {count} transactions, {len(body)} bytes; p50 {middle:.1f} ms, CPU {used:.1f} ms")
            verdict.goal(f"transactionStatuses, {name}, p95 in ms", percentile(times, 0.95), at_most=50)


def log_lines(connection):
    """Store one job with a log of a million lines: a header and a message each record."""
    histories_of_one(connection)
    at = int(time.time() * 1000) - LINES
    message = 'Transaction "t"; Delivered file%d.bin as file%d.bin: 1024 bytes.'
    rows = (("1", at + number // 8, "Informational", message % (number, number)) for number in range(LINES // 2))
    connection.executemany("INSERT INTO job_log (subject, at, severity, text) VALUES (?, ?, ?, ?)", rows)


def histories_of_one(connection):
    ((identity, definition),) = connection.execute("SELECT id, definition FROM transactions").fetchall()
    connection.execute(
        "INSERT INTO jobs (sequence, transaction_id, definition, variables, account, label, address, transfer_id,"
        " request_id, status, scheduled_at, updated_at, began_at, ended_at, completion, found, successful, failed,"
        " warnings, retries, attempt, bytes_total, bytes_done, lease)"
        " VALUES (1, ?, ?, '{}', 'Administrator', '', '', 'a',"
        " 'r', 'Complete', 1, 3, 2, 3, 'Successful', 1, 1, 0, 0, 0, 1, 0, 0, 1)",
        (identity, definition),
    )
    connection.execute("UPDATE transactions SET last_sequence = 1, last_completion = 'Successful'")
    connection.execute("UPDATE clock SET sequence = 2")


def views(folder, verdict):
    """Measure how soon a view of a log of a million lines opens, and single buffers of it."""
    with filled(folder, [transaction("t", "file:from", "file:to")], log_lines) as hub:
        client, opened, used = hub.client(), [], hub.processor()
        for _ in range(5):
            began = time.perf_counter()
            body = client.call("logView", ("transactionName", "t"), ("sequence", f"{1:016d}"))
            opened.append(time.perf_counter() - began)
        used = (hub.processor() - used) / len(opened)
        view, lines = text(body, b"id"), int(text(body, b"numLines"))
        assert lines == LINES, lines
        times = []
        for _ in range(300):
            began = time.perf_counter()
            client.call("logBuffer", ("logViewID", view), ("lineNum", str(random.randrange(lines))))
            times.append((time.perf_counter() - began) * 1000)
    print(f"views of {lines} lines {' '.join(f'{each:.2f}' for each in opened)} s, CPU {used:.2f} s each")
    middle, slow = percentile(times, 0.5), percentile(times, 0.95)
    print(f"buffers p50 {middle:.1f} ms, p95 {slow:.1f} ms, slowest {max(times):.1f} ms")
    verdict.goal("a log view of a million lines opens, s", percentile(opened, 0.5), at_most=1)
    verdict.goal("a buffer of it, p99 in ms", percentile(times, 0.99), at_most=20)


def pollers(folder, verdict):
    """Let fifty clients poll while jobs run, and check that each saw the end of every job exactly once."""
    names = [f"p{number:03d}" for number in range(POLLED)]
    made = [transaction(name, f"file:from/{name}", f"file:to/{name}") for name in names]
    with Hub(folder, made) as hub:
        for name in names:
            lay_out(hub.data / "from" / name, 1)
        clients = [hub.client() for _ in range(POLLERS)]
        since = text(clients[0].call("transactionStatuses"), b"monitorTime")
        given = json.dumps({"port": hub.hub.port, "since": since, "cookies": [client.cookie for client in clients]})
        program = [sys.executable, __file__, "--be-pollers"]
        polling = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        polling.stdin.write(given + "\n")
        polling.stdin.flush()
        runner, used, began = hub.client(), hub.processor(), time.perf_counter()
        for number, name in enumerate(names):
            # Each transaction runs once: no end can be hidden by the next job of the same transaction.
            threading.Event().wait(max(0.0, began + number / JOBS_A_SECOND - time.perf_counter()))
            runner.run(name)
        scheduled = time.perf_counter() - began
        hub.wait_idle()
        seconds, used = time.perf_counter() - began, hub.processor() - used
        threading.Event().wait(2)
        found = json.loads(polling.communicate("stop\n")[0])
        ends = {row[0] for row in hub.rows("SELECT sequence FROM jobs WHERE status = 'Complete'")}
    missed = sum(
        len(ends - {int(key.split()[0]) for key in seen if key.endswith("Complete")}) for seen in found["seen"]
    )
    doubled = sum(count - 1 for seen in found["seen"] for count in seen.values())
    times = found["times"]
    cores, middle, slow = used / seconds, percentile(times, 0.5), percentile(times, 0.99)
    print(f"{len(ends)} jobs scheduled in {scheduled:.1f} s and over after {seconds:.1f} s; hub {cores:.2f} cores")
    print(f"{len(times)} polls of {POLLERS} clients: p50 {middle:.1f} ms, p99 {slow:.1f} ms")
    verdict.goal("ends that a poller did not see", missed, at_most=0)
    verdict.goal("states that a poller saw twice", doubled, at_most=0)
    verdict.goal("polls, p95 in ms", percentile(times, 0.95), at_most=100)


def ended_of(seen):
    """Return the jobs whose end a poller saw."""
    return {int(key.split()[0]) for key in seen if key.endswith("Complete")}


async def poll(port, cookie, since, stop, times):
    """Be one client: poll with the last monitorTime, and count each state of each job that is answered."""
    seen, (reader, writer) = Counter(), await asyncio.open_connection("127.0.0.1", port)
    await asyncio.sleep(random.random() * POLL_EVERY_S)
    while not stop.is_set():
        began = time.perf_counter()
        query = f"{PATH}?requestType=transactionStatuses&since={since}"
        writer.write(f"GET {query} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        body = await reader.readexactly(int(length.split(b":")[1]))
        times.append((time.perf_counter() - began) * 1000)
        since = text(body, b"monitorTime")
        seen.update(f"{sequence} {status}" for _, sequence, status in changes(body))
        await asyncio.sleep(max(0.0, POLL_EVERY_S - (time.perf_counter() - began)))
    writer.close()
    return seen


async def be_pollers():
    """Be all pollers, in a process of their own, until a line comes on the standard input."""
    given, times, stop = json.loads(sys.stdin.readline()), [], asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, stop.set)
    each = [poll(given["port"], cookie, given["since"], stop, times) for cookie in given["cookies"]]
    seen = await asyncio.gather(*each)
    print(json.dumps({"seen": seen, "times": times}))


PARTS = {"statuses": statuses, "views": views, "pollers": pollers}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=", ".join(PARTS))
    parser.add_argument("--be-pollers", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.be_pollers:
        asyncio.run(be_pollers())
        return
    measure.head("bench/histories.py: what clients read of the Diplomat service", "sqlalchemy")
    verdict = measure.Verdict()
    for name in options.parts or PARTS:
        print(f"\n## {name} (load {os.getloadavg()[0]:.1f})", flush=True)
        with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as made:
            PARTS[name](Path(made) / "hub", verdict)
    verdict.end()


if __name__ == "__main__":
    main()
