"""Measurements that all scripts of this folder share: the machine, medians, peaks of memory, and a verdict."""

import datetime
import os
import platform
import shutil
import statistics
import subprocess
import sys
import threading
from importlib import metadata
from pathlib import Path

from mft_common.process.descendants import with_descendants


def head(title, *distributions):
    """Print what was measured, when, on what."""
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in distributions)
    print(f"# {title}")
    print(f"date      {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC")
    print(f"machine   {os.cpu_count()} cores, {cpu}; Linux {platform.release()}; Python {platform.python_version()}")
    print(f"versions  {versions}" if versions else "")


def version_of(command):
    """Return the first line that a program prints of its version."""
    out = subprocess.run(command, capture_output=True, text=True, check=False)
    return (out.stdout + out.stderr).splitlines()[0].strip()


def need(*programs):
    """Exit with a sentence where a program that the script measures against is missing."""
    missing = [name for name in programs if not shutil.which(name) and not Path(f"/usr/sbin/{name}").exists()]
    if missing:
        sys.exit(f"please install {', '.join(missing)} first (Debian: apt-get install {' '.join(missing)})")


def median(values):
    """Return the median."""
    return statistics.median(values)


def resident(pid):
    """Return a process's resident memory that is its own, in MB (pages of files that it maps not counted)."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


class PeakMemory:
    """Within the block, watches how far the memory of each process of some trees grows over what it was before."""

    def __init__(self, *pids):
        self._before = {pid: resident(pid) for pid in with_descendants(pids)}
        self._stop = threading.Event()
        self.growth = 0.0

    def __enter__(self):
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _watch(self):
        while not self._stop.wait(0.02):
            for pid, before in self._before.items():
                self.growth = max(self.growth, resident(pid) - before)


class Verdict:
    """Collects which goals were met, and ends the script with 1 when one was not."""

    def __init__(self):
        self.missed = 0

    def goal(self, text, value, at_least=None, at_most=None):
        """Print one goal with the value that was reached."""
        met = (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
        limit = f">= {at_least}" if at_least is not None else f"<= {at_most}"
        print(f"{'met   ' if met else 'MISSED'} {text}: {value:.2f} ({limit})")
        self.missed += not met

    def end(self):
        """Leave the script."""
        sys.exit(1 if self.missed else 0)


def processor_of(pid):
    """Return the processor seconds that a process and its children, which live, have used until now."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = [Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for one in (pid, *children)]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")
