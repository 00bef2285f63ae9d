"""Moves for a worker that is killed: their orders, their files, and what may be seen of them at every moment."""

import contextlib
import io
import itertools
import json
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.gnupg import PASSPHRASE, Partner
from tests.servers.processes import is_running, wait_until
from tests.servers.secret_search import watch_log

ROOT = Path(__file__).parents[2]
NAME = "orders.bin"
MEBI = 1 << 20
_numbers = itertools.count(1)


class Worker:
    """The worker of `move_worker` as a program in a session of its own, started again after each kill."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "moves.db"
        self.log = watch_log(folder / "worker.log")
        self._process: subprocess.Popen | None = None
        self._said: queue.Queue = queue.Queue()
        self._ordered: dict | None = None

    def start(self) -> list[dict]:
        """Start it and wait until it has recovered; return what it said."""
        self._said = queue.Queue()
        command = [sys.executable, "-m", "tests.servers.move_worker", str(self.database)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=ROOT, start_new_session=True
            )
        self._send(self._ordered)
        threading.Thread(target=self._listen, args=(self._process.stdout, self._said), daemon=True).start()
        return self.until("ready")

    @staticmethod
    def _listen(output, said) -> None:
        with output:
            for line in output:
                said.put(json.loads(line))
        said.put({"what": "died"})

    def order(self, order: dict) -> None:
        """Give it a move."""
        self._ordered = order
        self._send(order)

    def _send(self, order: dict | None) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()

    def until(self, what: str, count: int = 1, within: float = 60.0) -> list[dict]:
        """Return what it says, up to the `count`th message `what` or the end of the move."""
        said, deadline = [], time.monotonic() + within
        while not (said and said[-1]["what"] in (what, "ended") and (said[-1]["what"] != what or not count)):
            said.append(self._said.get(timeout=max(deadline - time.monotonic(), 0.01)))
            assert said[-1]["what"] != "died", self.log.read_text()[-3000:]
            count -= said[-1]["what"] == what
        return said

    def processes(self) -> list[int]:
        """Return the living processes of its session: itself, the fork server, children and their programs."""
        assert self._process is not None
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                    if int(fields[3]) == self._process.pid and is_running(int(entry.name)):
                        found.append(int(entry.name))
        return found

    def kill(self) -> None:
        """Kill -9 the worker alone; the others of its session have to end by themselves."""
        assert self._process is not None
        self._process.kill()
        self._reap()

    def kill_all(self) -> None:
        """Kill -9 all processes of its session."""
        while found := self.processes():
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._reap()

    def close(self) -> None:
        """End it."""
        if self._process is not None and self._process.poll() is None:
            self.kill_all()

    def _reap(self) -> None:
        assert self._process is not None
        self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()


class Partners:
    """Keys of both sides, and the files that partners send."""

    def __init__(self) -> None:
        self.partner = Partner()
        for name in ("ours", "acme"):
            self.partner.make(name)
        self.keys = {
            "ours": {"text": self.partner.secret("ours"), "secret": True, "passphrase": PASSPHRASE},
            "acme": {"text": self.partner.public("acme"), "secret": False},
        }
        self._contents: dict[tuple, tuple[bytes, bytes]] = {}

    def source(self, steps: tuple[str, ...], size: int) -> tuple[bytes, bytes]:
        """Return the bytes of a source that passes the steps, and the bytes that `unwrapped` makes of the delivery."""
        if (steps, size) not in self._contents:
            self._contents[steps, size] = self._made(steps, size)
        return self._contents[steps, size]

    def _made(self, steps, size):
        plain = random.Random(f"{steps} {size}").randbytes(size)
        if "text" in steps:
            line = "Größe {:08d}: 12 €, 3 ½ kg, ßøñ\n"
            text = "".join(line.format(number) for number in range(size // len(line.encode())))
            return text.encode(), text.replace("\n", "\r\n").encode("utf-16-le")
        if steps == ("unzip",):
            made = io.BytesIO()
            with zipfile.ZipFile(made, "w") as archive:
                archive.writestr("orders", plain)
            return made.getvalue(), plain
        if steps == ("decrypt",):
            to = ["--recipient", "ours@example.org", "--local-user", "acme@example.org", "--compress-algo", "none"]
            return self.partner.gpg(*to, "--sign", "--encrypt", given=plain).stdout, plain
        return plain, plain

    def unwrapped(self, steps: tuple[str, ...], delivered: bytes) -> bytes | None:
        """Undo the steps that pack a file; None where what is delivered is not whole."""
        for step in reversed(steps):
            if step == "encrypt":
                done = self.partner.gpg("--decrypt", given=delivered, check=False)
                if done.returncode or b"Good signature" not in done.stderr:
                    return None
                delivered = done.stdout
            elif step == "zip":
                try:
                    with zipfile.ZipFile(io.BytesIO(delivered)) as archive:
                        delivered = archive.read(archive.namelist()[0])
                except (zipfile.BadZipFile, EOFError):
                    return None
        return delivered

    def close(self) -> None:
        """End the partner's agent."""
        self.partner.close()


@dataclass
class Move:
    """One move between two far sides; `former` is what has the name at the destination before it."""

    partners: Partners
    source: object
    destination: object
    steps: tuple[str, ...]
    size: int
    former: bytes | None
    resumes: bool
    private: Path
    token: str = field(default_factory=lambda: f"{next(_numbers):048X}")

    def __post_init__(self) -> None:
        self.content, self.plain = self.partners.source(self.steps, self.size)
        self.source.write_outside(NAME, self.content)
        if self.former is not None:
            self.destination.write_outside(NAME, self.former)

    def order(self) -> dict:
        """Return the order for the worker."""
        return {
            "token": self.token,
            "transfer_id": self.token,
            "name": NAME,
            "steps": list(self.steps),
            "private": str(self.private),
            "keys": self.partners.keys,
            "resumes": self.resumes,
            "source": self.source.endpoints().to_json(),
            "destination": self.destination.endpoints().to_json(),
        }

    def seen(self) -> str:
        """Return what the destination holds under the name: nothing, the former file, the new one, or a part."""
        found = self.destination.read_outside(NAME)
        if found is None:
            return "nothing"
        if found == self.former:
            return "former"
        return "new" if self.partners.unwrapped(self.steps, found) == self.plain else f"{len(found)} other bytes"

    def check_visible(self) -> str:
        """Check that the name shows the former file or the new one; return which."""
        seen = self.seen()
        allowed = {"new", "nothing" if self.former is None else "former"}
        if seen == "nothing" and any(".0000000000000000.part." in name for name in self.destination.names_outside()):
            # This server cannot replace a file in one step: the former one is whole under the name of the move.
            return seen
        assert seen in allowed, f"the name shows {seen}"
        return seen

    def check_recovered(self) -> str:
        """Check what a recovery promises; return what the destination holds."""
        seen = self.seen()
        assert seen in {"new", "nothing" if self.former is None else "former"}, f"after recovery the name shows {seen}"
        there = self.source.read_outside(NAME)
        assert there in (None, self.content)
        assert there is not None or seen == "new", f"the source is gone, and the destination has {seen}"
        expected = [] if seen == "nothing" else [NAME]
        assert self.destination.names_outside() == expected
        assert self.source.names_outside() == ([] if there is None else [NAME])
        for far in (self.source, self.destination):
            if far.kind == "s3":
                assert far.server.unfinished(far.bucket) == []
        with self.destination.open() as endpoint:
            assert endpoint.sweep(self.token) == ()
        assert not self.private.exists() or list(self.private.iterdir()) == []
        return seen

    def check_done(self) -> None:
        """Check a move that came to its end."""
        assert self.check_recovered() == "new"
        with self.source.open() as endpoint:
            assert (self.source.read_outside(NAME) is None) == endpoint.features.deleting


def wait_for_processes(worker: Worker, count: int) -> None:
    """Wait until the worker's session has no more than `count` processes."""
    wait_until(lambda: len(worker.processes()) <= count, within=5, what=f"at most {count} processes")
