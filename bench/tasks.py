"""Measure a hub with 1,000 tasks: idle, at the pick-up of files, and by small calls: `python bench/tasks.py`.

500 Change tasks over 500 folders and 500 Time tasks are active throughout. The floors are those of the specification:
under 5 % of a core while nothing happens, files worked on within 1 s after they have settled, 500 small calls a second.
"""

import argparse
import base64
import http.client
import itertools
import sys
import tempfile
import threading
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import measure
from mft_common.process.descendants import with_descendants

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the tests' servers are not installed anywhere

from tests.servers.hub import OneMachine

FOLDERS = 500
CONFIG = "bench"
SETTLE_S = 1.0
CLIENTS = 8
PICK_UPS = 20
GAP_S = 1.37
CHANGE = """<Task name="c{number:03d}" type="Change"><Action>Copy</Action><Folders><Source>s{number:03d}</Source>
<Destination>d{number:03d}</Destination></Folders></Task>"""
TIME = """<Task name="t{number:03d}" type="Time"><Action>Copy</Action><Folders><Source>s{number:03d}</Source>
<Destination>d{number:03d}</Destination></Folders><Schedule><Interval>86400</Interval></Schedule></Task>"""


class Client:
    """One kept-alive connection with a session of the trusted account."""

    def __init__(self, port):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._session = ""
        (self._session,) = self.call("hostOpenSession", "operator")

    def call(self, function, *arguments):
        """Call a function; return its results as text."""
        texts = "".join(f"<Argument>{base64.b64encode(one.encode()).decode()}</Argument>" for one in arguments)
        session = f"<Session>{self._session}</Session>" if self._session else ""
        body = f"<Request><Function>{function}</Function>{session}<ArgList>{texts}</ArgList></Request>"
        self._connection.request("POST", "/dataprotector", body.encode())
        root = ET.fromstring(self._connection.getresponse().read())
        if root.findtext("Status") != "1":
            raise RuntimeError(f"{function}: {root.findtext('Status')} {root.findtext('StatusMessage')}")
        return [base64.b64decode(one.text or "").decode() for one in root.iter("Result")]


def processor_of_all(hub):
    """Return the processor seconds that all processes of the hub have used until now."""
    used = 0.0
    for pid in with_descendants([hub.program.pid]):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        used += (int(fields[11]) + int(fields[12])) / 100
    return used


def share_of_a_core(hub, seconds):
    """Return the share of a core that the hub takes for some seconds, in percent."""
    used, began = processor_of_all(hub), time.perf_counter()
    time.sleep(seconds)
    return (processor_of_all(hub) - used) / (time.perf_counter() - began) * 100


def idle(hub, client, document, seconds, verdict):
    """Measure what 1,000 tasks add to an idle hub."""
    without = share_of_a_core(hub, seconds)
    began = time.perf_counter()
    client.call("configSaveTasks", CONFIG, document)
    saved = time.perf_counter()
    client.call("configActivate", CONFIG)
    print(f"tasks saved in {saved - began:.2f} s, activated in {time.perf_counter() - saved:.2f} s")
    # Folders that were made a moment ago are listed at each look.
    time.sleep(15)
    with_tasks = share_of_a_core(hub, seconds)
    print(f"idle hub, % of a core: {without:.2f} without tasks, {with_tasks:.2f} with {2 * FOLDERS}")
    verdict.goal("idle tasks, % of a core", with_tasks - without, at_most=5)


def pick_up(root, verdict):
    """Measure from the moment in which a file has settled to its copy, over folders and moments."""
    waits = []
    for number in range(PICK_UPS):
        source, target = root / f"s{number * 23:03d}", root / f"d{number * 23:03d}"
        (source / "new.bin").write_bytes(b"x" * 1000)
        written = time.perf_counter()
        while not (target / "new.bin").exists():
            time.sleep(0.005)
        waits.append(time.perf_counter() - written - SETTLE_S)
        time.sleep(GAP_S - number % 7 * 0.11)
    print(f"settled to copied, s: median {measure.median(waits):.2f}, longest {max(waits):.2f}")
    verdict.goal("settled file to its copy, longest in s", max(waits), at_most=1)


def calls(port, seconds, verdict):
    """Measure small calls by clients side by side, and the document of all tasks."""
    small = (
        ("agentPing",), ("agentGetStatus",), ("configGetStatus", CONFIG), ("taskGetStatus", CONFIG, "c007"),
        ("configGetList",), ("templateGetList",), ("sharedGetPresetList",),
    )  # fmt: skip
    counts, stop = [], threading.Event()

    def run():
        mine, count = Client(port), 0
        for call in itertools.cycle(small):
            if stop.is_set():
                break
            mine.call(*call)
            count += 1
        counts.append(count)

    threads = [threading.Thread(target=run) for _ in range(CLIENTS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    verdict.goal("small calls, 1/s", sum(counts) / (time.perf_counter() - began), at_least=500)
    times, client = [], Client(port)
    for _ in range(20):
        began = time.perf_counter()
        client.call("configGetTasks", CONFIG)
        times.append((time.perf_counter() - began) * 1000)
    verdict.goal(f"configGetTasks of {2 * FOLDERS} tasks, median in ms", measure.median(times), at_most=50)


def main():
    """Start a demo hub and measure it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each measurement of a share or a rate")
    seconds = parser.parse_args().seconds
    measure.head("a hub with 1,000 tasks", "sqlalchemy", "flask", "gunicorn")
    print(f"load of the machine: {Path('/proc/loadavg').read_text().split()[0]}")
    verdict = measure.Verdict()
    with tempfile.TemporaryDirectory() as folder:
        hub = OneMachine(Path(folder)).start()
        try:
            root = hub.data / "demo" / "protect"
            for number in range(FOLDERS):
                (root / f"s{number:03d}").mkdir(parents=True)
            client = Client(hub.port)
            client.call("configCreate", CONFIG)
            tasks = [one.format(number=number) for one in (CHANGE, TIME) for number in range(FOLDERS)]
            idle(hub, client, f"<Tasks>{''.join(tasks)}</Tasks>", seconds, verdict)
            pick_up(root, verdict)
            calls(hub.port, seconds / 3, verdict)
        finally:
            hub.stop()
    verdict.end()


if __name__ == "__main__":
    main()
