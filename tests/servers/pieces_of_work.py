"""Pieces of work for the tests and measurements of the runner; a child imports this module by its name."""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
from pathlib import Path


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


def hang(channel, payload):
    """Block for ever in the way that the payload names, beside a program of its own."""
    program = subprocess.Popen(["sleep", "1000"])
    channel.began({"pid": os.getpid(), "program": program.pid})
    if payload["how"] == "fifo":
        Path(payload["path"]).read_bytes()
    elif payload["how"] == "lock":
        with Path(payload["path"]).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
    elif payload["how"] == "peer":
        with socket.create_connection(("127.0.0.1", payload["port"])) as far:
            far.recv(1)
    else:
        with contextlib.suppress(ValueError):
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
        while True:
            signal.pause()
