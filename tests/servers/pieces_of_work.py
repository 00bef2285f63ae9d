"""Pieces of work for the tests and measurements of the runner; a child imports this module by its name."""

import contextlib
import fcntl
import os
import signal
import socket
import sqlite3
import subprocess
from pathlib import Path

from mft_common.endpoints.registry import Endpoints


def echo(channel, payload):
    """Report, ask, and return the payload."""
    channel.began({"pid": os.getpid(), "nice": os.nice(0)})
    channel.progress(1)
    answer = channel.ask("question", payload)
    return {"payload": payload, "answer": answer}


def first_byte(channel, payload):
    """Send one message."""
    channel.began(payload)


def until_stopped(channel, payload):
    """Work until the worker asks to stop."""
    channel.began({"pid": os.getpid()})
    channel.interrupt.wait()
    return "stopped"


def commit(channel, payload):
    """Ask for the right to commit, and write the file only then."""
    channel.may_commit({"path": payload})
    Path(payload).write_text("committed")


def die(channel, payload):
    """End the process in the way that the payload names."""
    channel.tell("before")
    if payload == "abort":
        os.abort()
    if payload == "exit":
        os._exit(3)
    raise ValueError(f"the secret is {payload}")


def start_programs():
    """Start a program, and one that is orphaned at once in a session of its own; return both process ids."""
    program = subprocess.Popen(["sleep", "1000"])
    shell = subprocess.run(
        ["/bin/sh", "-c", "setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!"], capture_output=True, check=True
    )
    return [program.pid, int(shell.stdout)]


def hang(channel, payload):
    """Block for ever in the way that the payload names, beside programs of its own."""
    channel.began({"pid": os.getpid(), "programs": start_programs()})
    if payload["how"] == "fifo":
        Path(payload["path"]).read_bytes()
    elif payload["how"] == "lock":
        with Path(payload["path"]).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
    elif payload["how"] == "database":
        sqlite3.connect(payload["path"], timeout=1000).execute("BEGIN IMMEDIATE")
    elif payload["how"] == "endpoint":
        read_file(Endpoints.from_json(payload["endpoints"]).open(payload["url"]))
    elif payload["how"] == "peer":
        with socket.create_connection(("127.0.0.1", payload["port"])) as far:
            far.recv(1)
    else:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            signal.pause()


def remove(channel, payload):
    """Return the payload as the problem of a removal, ask, die, or hang; `hang PATH` notes the process id there."""
    word, _, path = payload.partition(" ")
    if word == "hang" and path:
        Path(path).write_text(str(os.getpid()))
    if word == "hang":
        channel.interrupt.wait()
    if word == "die":
        raise ValueError(payload)
    return {"problem": payload, "answer": channel.ask("question", payload)}


def read_file(endpoint):
    """Read one file of an endpoint to its end."""
    with contextlib.closing(endpoint.open(endpoint.stat("x.bin"))) as reader:
        while reader.read():
            pass


def busy(channel, payload):
    """Start programs, report as many times as the payload says, and return; the programs go on."""
    channel.began({"pid": os.getpid(), "programs": start_programs()})
    for number in range(payload):
        channel.progress(number)
        channel.interrupt.wait(0.005)
