"""A child of executions for the tests of the worker: it copies small files by the messages of the real one.

The names of files say what becomes of them: `bad` fails, `later` waits, `crash` kills the process, `raise` raises. The
parameter `gate` of the task names a folder: a child that is about to commit puts its file's name there, and goes on
once a file `NAME.go` is there too. Each commit adds a line to `ledger` in that folder.
"""

import hashlib
import os
import signal
from dataclasses import asdict
from pathlib import Path

from mft_common.process.runner import CommitRefused
from sertainty_svc.domain.executions import ExecutionFile
from sertainty_svc.operations.running.messages import CHANGED, FILES, FIND_IDS, FOUND, HELD, LOG, MAY_GO_ON
from sertainty_svc.operations.running.order import Order, Result

RUN = f"{__name__}:run"
SWEEP = f"{__name__}:sweep"


class Stopped(Exception):  # noqa: N818 -- a condition
    """The worker asks the child to stop."""


def run(channel, payload):
    """Carry out an execution."""
    order = Order.from_json(payload)
    try:
        return asdict(Result(fault=_run(channel, order)))
    except (Stopped, CommitRefused):
        return asdict(Result(stopped=True, left=True))


def sweep(_channel, payload):
    """Remove the unfinished files of an execution."""
    folder = Path(payload["definition"]["folders"]["destination"])
    for file in payload["files"]:
        if name := file.get("temporary"):
            (folder / name).unlink(missing_ok=True)
    return {"problem": ""}


def _run(channel, order):
    """Return the fault of the task."""
    source = Path(order.definition.folders.source)
    if not source.is_dir():
        return "the folder is missing"
    channel.tell(LOG, [{"text": f"attempt {order.attempt}", "level": "Info", "file": "", "stream": ""}])
    if order.definition.description == "find an ID":
        found = channel.ask(FIND_IDS, {"uid": "7"})
        channel.tell(LOG, [{"text": f"found {' '.join(found)}", "level": "Info", "file": "", "stream": ""}])
    if not order.has_files:
        names = sorted(path.name for path in source.iterdir())
        files = [ExecutionFile(position=place, path=name) for place, name in enumerate(names)]
        channel.ask(FOUND, {"files": [one.to_json() for one in files], "all": True})
    after = -1
    while page := channel.ask(FILES, {"after": after}):
        for file in map(ExecutionFile.from_json, page):
            after = file.position
            if not channel.ask(MAY_GO_ON):
                raise Stopped
            _move(channel, order, file)
    return ""


def _move(channel, order, file):
    source = Path(order.definition.folders.source, file.path)
    target = Path(order.definition.folders.destination, file.path)
    if file.state != "delivered":
        file = _deliver(channel, order, file, source, target)
    if file is not None:
        source.unlink(missing_ok=True)
        channel.ask(CHANGED, file.changed(state="successful").to_json())


def _deliver(channel, order, file, source, target):
    """Bring a file to its final name, unless an earlier process has; return it as delivered, None where it is over."""
    if "later" in file.path:
        channel.ask(CHANGED, file.changed(state="later", description="it changed while it was read").to_json())
        return None
    data = source.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    done = {"size": len(data), "bytes_done": len(data), "source_sha256": digest, "destination": file.path}
    done |= {"delivered_size": len(data), "delivered_sha256": digest}
    if file.checkpoint is not None and target.exists():
        return _told(channel, file.changed(state="delivered", **done))
    temporary = target.with_name(f".{order.token}.{file.position}.part")
    file = _told(channel, file.changed(state="moving", temporary=temporary.name, tries=file.tries + 1))
    temporary.write_bytes(data)
    channel.progress({"position": file.position, "bytes_done": len(data)})
    if "crash" in file.path:
        os.kill(os.getpid(), signal.SIGKILL)
    if "raise" in file.path:
        raise ValueError(file.path)
    _wait(channel, order, file)
    if "bad" in file.path or target.exists():
        temporary.unlink()
        channel.ask(CHANGED, file.changed(state="failed", description="it is bad").to_json())
        return None
    file = file.changed(checkpoint={"sha256": digest}, **done)
    channel.may_commit(file.to_json())
    temporary.rename(target)
    if gate := order.definition.parameters.get("gate"):
        with Path(gate, "ledger").open("a", encoding="utf-8") as ledger:
            ledger.write(f"{file.path}\n")
    return _told(channel, file.changed(state="delivered", temporary=""))


def _told(channel, file):
    channel.ask(CHANGED, file.to_json())
    return file


def _wait(channel, order, file):
    gate = order.definition.parameters.get("gate")
    if gate is None:
        return
    Path(gate, file.path).touch()
    while not Path(gate, f"{file.path}.go").exists():
        if channel.interrupt.wait(0.01):
            raise Stopped
        if order.definition.description == "asks":
            channel.ask(HELD)
