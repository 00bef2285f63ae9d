"""Measure managed transfers of a whole hub, beside `cp && sync` in the same run.

Run: python bench/managed.py [large] [files] [small] [monitor], all of them without one.

- large: 1 GiB between two agents with md5, from the request to the record's end.
- files: one transfer of many small files.
- small: many transfers of one small file each, requested one after another.
- monitor: a resource monitor over a folder of 100,000 files, polled every second: how much of the processor it takes
  while nothing comes, and after what time a new file has begun a transfer.
"""

import argparse
import base64
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import yaml

import measure
from mft_common.process.descendants import with_descendants
from single_files import make_large

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the tests' servers are not installed anywhere

from tests.servers.hub import OneMachine

LARGE_MIB = 1024
FILES = 1000
SMALL = 200
ROUNDS = 3
MONITORED = 100_000
IDLE_S = 60.0
NEW_FILES = 6
BETWEEN_S = 10.0
INTERVAL_S = 1
TRANSFERS = "/ibmmq/rest/v3/admin/mft/transfer"
MONITORS = "/ibmmq/rest/v3/admin/mft/monitor"
TOTAL = "ibm-mq-rest-mft-total-transfers"
AGENTS = {"QUAY": "file:quay", "YARD": "file:yard"}


class Hub:
    """`crossdock up` with SQLite and two agents over folders."""

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        config = {
            "accounts": {
                "mftadmin": {
                    "password": {"demo": "mftadmin"},
                    "grants": {"ibm_mq_mft": {"roles": ["MFTWebAdmin"]}},
                }
            },
            "ibm_mq_mft": {
                "coordination_qmgr": "QM1",
                "agents": {name: {"qmgr": "QM1", "root": root} for name, root in AGENTS.items()},
            },
        }
        file = folder / "crossdock.yaml"
        file.write_text(yaml.safe_dump(config))
        self.hub = OneMachine(folder, "--config", file, env={"MFT_LOG_LEVEL": "warning"})
        self.data = self.hub.data

    def __enter__(self):
        self.hub.start()
        pair = base64.b64encode(b"mftadmin:mftadmin").decode()
        self._headers = {"Authorization": f"Basic {pair}", "ibm-mq-rest-csrf-token": ""}
        self._connection = http.client.HTTPConnection("127.0.0.1", self.hub.port)
        for folder in AGENTS.values():
            (self.data / folder.removeprefix("file:")).mkdir()
        return self

    def __exit__(self, *_):
        self.hub.stop()
        self.hub.kill()

    def pids(self):
        """Return the processes of the hub."""
        return with_descendants([self.hub.program.pid])

    def reconnect(self):
        """Use another connection from now on."""
        self._connection.close()

    def processor(self):
        """Return the processor time of all processes of the hub so far, those that have ended among them."""
        return sum(_processor_of(pid) for pid in self.pids())

    def monitor(self, folder):
        """Create a monitor of a folder of QUAY; what it finds is a transfer of no file, up to 1,000 at once."""
        body = {
            "name": "BENCH",
            "type": "directory",
            "agentName": "QUAY",
            "general": {"pollInterval": INTERVAL_S, "pollIntervalUnit": "seconds", "matchesPerTask": 1000},
            "resource": {"name": folder},
            "triggerCondition": {"type": "matchAll"},
            "transferDefinition": self._body(({"name": "seen"}, {"name": "seen", "actionIfExists": "overwrite"})),
        }
        headers = {**self._headers, "Content-Type": "application/json"}
        self._connection.request("POST", MONITORS, json.dumps(body), headers)
        answer = self._connection.getresponse()
        assert (answer.status, answer.read()) == (201, b"")

    def total(self):
        """Return the number of transfers in the record."""
        self._connection.request("GET", f"{TRANSFERS}?limit=1", headers=self._headers)
        answer = self._connection.getresponse()
        answer.read()
        return int(answer.getheader(TOTAL))

    def submit(self, *items):
        """Request a transfer of items, each a source and a destination, and return its address."""
        headers = {**self._headers, "Content-Type": "application/json"}
        self._connection.request("POST", TRANSFERS, json.dumps(self._body(*items)), headers)
        answer = self._connection.getresponse()
        assert (answer.status, answer.read()) == (202, b"")
        return answer.getheader("Location").partition("/ibmmq/")[2]

    @staticmethod
    def _body(*items):
        return {
            "sourceAgent": {"name": "QUAY", "qmgrName": "QM1"},
            "destinationAgent": {"name": "YARD", "qmgrName": "QM1"},
            "transferSet": {"item": [{"source": source, "destination": target} for source, target in items]},
        }

    def statistics(self, address):
        """Return state and statistics of a transfer."""
        self._connection.request("GET", f"/ibmmq/{address}", headers=self._headers)
        (found,) = json.loads(self._connection.getresponse().read())["transfer"]
        return found["status"]["state"], found["statistics"]

    def wait(self, address, within=120.0):
        """Wait until a transfer has ended well."""
        deadline, pause = time.monotonic() + within, threading.Event()
        while True:
            state, statistics = self.statistics(address)
            if statistics["endTime"]:
                assert state == "successful", (state, statistics)
                return statistics
            assert time.monotonic() < deadline, (state, statistics)
            pause.wait(0.02)


def large(hub, verdict):
    """Measure one large file, beside cp and sync of the same folders."""
    source, target = hub.data / "quay/large", hub.data / "yard/large"
    make_large(source, LARGE_MIB)
    figures = {"cp && sync": [], "md5sum": [], "managed": []}
    for _ in range(ROUNDS):
        target.unlink(missing_ok=True)
        began = time.perf_counter()
        subprocess.run(["cp", source, target], check=True)
        subprocess.run(["sync", "-f", target], check=True)
        figures["cp && sync"].append(time.perf_counter() - began)
        began = time.perf_counter()
        subprocess.run(["md5sum", target], check=True, stdout=subprocess.DEVNULL)
        figures["md5sum"].append(time.perf_counter() - began)
        target.unlink()
        with measure.PeakMemory(*hub.pids()) as memory:
            began = time.perf_counter()
            hub.wait(hub.submit(({"name": "large"}, {"name": "large"})))
            figures["managed"].append(time.perf_counter() - began)
        assert target.stat().st_size == LARGE_MIB << 20
    peer, digest, ours = (measure.median(times) for times in figures.values())
    print(f"1 GiB     cp && sync {peer:.2f} s, md5sum {digest:.2f} s; managed, MD5 and SHA-256, {ours:.2f} s")
    print(f"memory    {memory.growth:.0f} MB more at the peak of any process that ran before")
    if digest <= peer:
        verdict.goal("1 GiB, times cp && sync", peer / ours, at_least=0.8)
    else:
        print("          this processor takes longer for the MD5 of 1 GiB than for cp && sync")
    verdict.goal("1 GiB, times cp && sync && md5sum", (peer + digest) / ours, at_least=0.9)
    source.unlink()
    target.unlink()


def files(hub, verdict):
    """Measure one transfer of many small files."""
    folder = hub.data / "quay/many"
    folder.mkdir()
    for number in range(FILES):
        (folder / f"f{number:05d}").write_bytes(os.urandom(1024))
    began = time.perf_counter()
    found = hub.wait(hub.submit(({"name": "many", "type": "directory"}, {"name": "many", "type": "directory"})))
    seconds = time.perf_counter() - began
    assert found["numberOfFileSuccesses"] == FILES
    print(f"{FILES} x 1 KiB in one transfer: {seconds:.2f} s")
    verdict.goal("small files a second in one transfer", FILES / seconds, at_least=200)


def small(hub, verdict):
    """Measure many transfers of one small file."""
    for number in range(SMALL):
        (hub.data / f"quay/s{number:04d}").write_bytes(os.urandom(1024))
    began = time.perf_counter()
    addresses = [hub.submit(({"name": f"s{number:04d}"}, {"name": f"s{number:04d}"})) for number in range(SMALL)]
    accepted = time.perf_counter() - began
    for address in addresses:
        hub.wait(address)
    seconds = time.perf_counter() - began
    print(f"{SMALL} transfers: accepted in {accepted:.2f} s, over after {seconds:.2f} s")
    verdict.goal("small managed transfers a second", SMALL / seconds, at_least=20)


def monitor(hub, verdict):
    """Measure a monitor of a large folder: while nothing comes, and from a new file to its transfer."""
    folder = hub.data / "quay/large-folder"
    folder.mkdir()
    (hub.data / "quay/seen").write_bytes(b"x")
    for number in range(MONITORED):
        (folder / f"f{number:06d}.csv").touch()
    pause = threading.Event()
    before = _share(hub, pause)
    first = hub.total()
    began = time.perf_counter()
    hub.monitor("large-folder")
    _until(hub, pause, first + MONITORED // 1000)
    print(f"{MONITORED} files seen for the first time, and their transfers begun: {time.perf_counter() - began:.1f} s")
    # Until the transfers have ended, and no look is due for what they have found.
    pause.wait(30)
    idle = _share(hub, pause)
    latencies = []
    used = hub.processor()
    began = time.perf_counter()
    for number in range(NEW_FILES):
        pause.wait(BETWEEN_S + number / NEW_FILES)
        hub.reconnect()
        known, written = hub.total(), time.perf_counter()
        (folder / f"new{number}.csv").touch()
        _until(hub, pause, known + 1)
        latencies.append(time.perf_counter() - written)
    busy = (hub.processor() - used) / (time.perf_counter() - began)
    print(f"share of a core: without a monitor {before:.2%}, idle {idle:.2%}, a new file every 11 s {busy:.2%}")
    print(f"new files begin a transfer after {', '.join(f'{one:.2f}' for one in latencies)} s")
    verdict.goal(f"a new file among {MONITORED}: seconds beyond the interval", max(latencies) - INTERVAL_S, at_most=2)
    verdict.goal(f"idle monitor of {MONITORED} files, % of a core", (idle - before) * 100, at_most=5)


def _processor_of(pid):
    """Return the processor seconds of a process, and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _share(hub, pause):
    used, began = hub.processor(), time.perf_counter()
    pause.wait(IDLE_S)
    share = (hub.processor() - used) / (time.perf_counter() - began)
    # The hub has closed the idle connection.
    hub.reconnect()
    return share


def _until(hub, pause, total):
    deadline = time.monotonic() + 300
    while hub.total() < total:
        assert time.monotonic() < deadline
        pause.wait(0.02)


PARTS = {"large": large, "files": files, "small": small, "monitor": monitor}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=", ".join(PARTS))
    chosen = parser.parse_args().parts or list(PARTS)
    measure.head("managed transfers between two agents")
    verdict = measure.Verdict()
    with tempfile.TemporaryDirectory(prefix="bench-managed-") as made, Hub(Path(made) / "hub") as hub:
        for name in chosen:
            PARTS[name](hub, verdict)
    verdict.end()


main()
