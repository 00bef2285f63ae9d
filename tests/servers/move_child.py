"""Move one file in a child of a worker, with any step, and remove what an earlier child left; imported by its name."""

import contextlib
import functools
from dataclasses import asdict
from pathlib import Path

from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import NotFound, TransferError
from mft_common.endpoints.registry import Endpoints
from mft_common.transfer import Bandwidth, Mover
from mft_common.transfer.steps.openpgp import Decrypt, Encrypt, Home, read_key, remove_homes
from mft_common.transfer.steps.text import Text
from mft_common.transfer.steps.unzip import Unzip
from mft_common.transfer.steps.zips import Zip

RATE = 16 << 20


def _open(payload, end):
    return Endpoints.from_json(payload[end]).open("endpoint:far", payload["transfer_id"])


@contextlib.contextmanager
def _steps(payload, entry):
    """Give what makes the steps of one try, None where there are none; the home of the keys is there meanwhile."""
    names = [name for name in payload["steps"] if name != "bandwidth"]
    private = Path(payload["private"])
    with contextlib.ExitStack() as stack:
        home = None
        if {"encrypt", "decrypt"} & set(names):
            keys = [read_key(name, **options) for name, options in payload["keys"].items()]
            home = stack.enter_context(Home(private, keys, s2k_count="65536"))
        yield [functools.partial(_step, name, private, home, entry) for name in names] or None


def _step(name, private, home, entry):
    if name == "text":
        return Text("utf-8", "utf-16-le", from_ends="lf", to_ends="crlf")
    if name == "zip":
        return Zip(entry.name)
    if name == "unzip":
        return Unzip(private)
    return Encrypt(home, ["acme"], signer="ours") if name == "encrypt" else Decrypt(home, "ours", verify=["acme"])


def move(channel, payload):
    """Copy the file, and delete its source once the worker has noted that it is delivered."""
    channel.began()
    with _open(payload, "source") as source, _open(payload, "destination") as destination:
        entry = source.stat(payload["name"])
        with _steps(payload, entry) as steps:
            moved = Mover(
                token=payload["token"],
                steps=steps,
                bandwidth=Bandwidth(RATE if "bandwidth" in payload["steps"] else None),
                interrupt=channel.interrupt,
                begins=lambda temporary: channel.ask("begins", temporary),
                progress=channel.progress,
                progress_every=0.0,
                checkpointed=channel.checkpoint,
                checkpoint_every=0.0,
                guard=channel.may_commit,
            ).move(source, entry, destination, payload["name"], payload["resume"])
        channel.ask("delivered", asdict(moved.entry))
        if source.features.deleting:
            source.delete(moved.entry, token=payload["token"])
    return {"resumed": moved.resumed, "warning": moved.warning}


def recover(_channel, payload):
    """Remove what a killed move left, or finish one whose delivery is known; return what could not be done."""
    remove_homes(Path(payload["private"]))
    try:
        with _open(payload, "destination") as destination:
            destination.sweep(payload["token"], tuple(payload["temporaries"]))
        if payload["delivered"] is not None:
            with _open(payload, "source") as source, contextlib.suppress(NotFound):
                if source.features.deleting:
                    source.delete(Entry(**payload["delivered"]), token=payload["token"])
    except TransferError as error:
        return str(error)
    return ""
