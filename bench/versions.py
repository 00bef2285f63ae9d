"""Measure this checkout beside another revision of it, in turn in one run, and print the ratio of each figure.

`bench/versions.py REVISION` checks the revision out into a temporary folder, sets it up with its own `make setup`, and
runs each script in both checkouts alternately. A ratio is oriented so that more is better: 1.10 means that this
checkout is 10 % better. Without a revision it measures HEAD: then the ratios show how noisy the machine is.
"""

import argparse
import contextlib
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import measure

ROOT = Path(__file__).resolve().parents[1]
GOAL = 0.9
SCRIPTS = {
    "gateway": ["--rounds", "1", "--mib", "256"],
    # The first small uploads of a hub, and of any folder of the file system, are slower than the next ones.
    "filestore": ["--rounds", "3", "--seconds", "2", "--mib", "128", "--huge-mib", "64"],
    "events": [],
    "listing": ["--rounds", "5", "--files", "20000"],
}
# What the scripts print, a line a figure.
GATEWAY = re.compile(r"\((?P<name>[ab])\) \D{18}\s*(?P<rps>\d+)\s+[\d.]+\s+(?P<up>\d+)\s+(?P<down>\d+)")
FILESTORE = re.compile(
    r"(?P<name>multipart upload, MB/s|download, MB/s|small GETs .*1/s|small uploads .*1/s)\s+(?P<rate>\d+)\s"
)
RATE = re.compile(r"(?P<name>outbox to inbox, \w+)\s+(?P<rate>\d+) events/s")
LATENCY = re.compile(r"(?P<name>\w.*?)\s+p50\s+(?P<ms>[\d.]+) ms")
PAGE = re.compile(r"(?:count, .*?|.* (?:start|middle|end))\s+[\d.]+\s+(?P<ms>[\d.]+)(?:\s+[\d.]+){3}")
DATABASE = re.compile(r"(?P<name>(?:sqlite|postgresql)\S*.*?)\s+\d+ files: p95")


def figures(output):
    """Return the figures in a script's output: a name, its value, and whether more of it is better."""
    found, pages, database = {}, defaultdict(list), ""
    for line in output.splitlines():
        if match := GATEWAY.match(line):
            for key in ("rps", "up", "down"):
                found[f"gateway ({match['name']}) {key}"] = (float(match[key]), True)
        elif match := FILESTORE.match(line) or RATE.match(line):
            found[match["name"]] = (float(match["rate"]), True)
        elif match := LATENCY.match(line):
            found[f"{match['name']}, ms"] = (float(match["ms"]), False)
        elif match := DATABASE.match(line):
            database = match["name"]
        elif match := PAGE.match(line):
            pages[database].append(float(match["ms"]))
    for name, medians in pages.items():
        found[f"listing, {name}: median of all calls, ms"] = (measure.median(medians), False)
    return found


def run(checkout, script, arguments):
    """Run a script of a checkout with that checkout's own interpreter, and return its figures."""
    command = [checkout / ".venv" / "bin" / "python", checkout / "bench" / f"{script}.py", *arguments]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False, timeout=1800)
    found = figures(done.stdout)
    if not found:
        sys.exit(f"{checkout}: bench/{script}.py printed no figure\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return found


@contextlib.contextmanager
def checked_out(revision):
    """Give a checkout of `revision`, set up, for the length of the block."""
    with tempfile.TemporaryDirectory(prefix="bench-versions-") as folder:
        path = Path(folder) / "other"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", path, revision], cwd=ROOT, check=True)
        try:
            subprocess.run(["make", "setup"], cwd=path, check=True, stdout=sys.stderr)
            yield path
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", path], cwd=ROOT, check=True)


def main():
    """Print a row a figure, and end with 1 when one is below the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revision", nargs="?", default="HEAD")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--script", action="append", choices=SCRIPTS, help="only this one (may be given again)")
    options = parser.parse_args()
    began = time.monotonic()
    measure.head(f"this checkout beside {options.revision}, {options.rounds} rounds in turn", "gunicorn", "sqlalchemy")
    worse = False
    with checked_out(options.revision) as other:
        print(f"{'':64}{'other':>10}{'this':>10}{'ratio':>8}")
        for script in options.script or SCRIPTS:
            values = defaultdict(lambda: ([], []))
            higher = {}
            for number in range(options.rounds):
                # Every second round begins with the other checkout, so that neither is always the one after a rest.
                order = [(0, other), (1, ROOT)] if number % 2 == 0 else [(1, ROOT), (0, other)]
                for side, checkout in order:
                    for name, (value, more_is_better) in run(checkout, script, SCRIPTS[script]).items():
                        values[name][side].append(value)
                        higher[name] = more_is_better
            for name, (before, after) in values.items():
                if not before or not after:
                    print(f"{name:64}  only one checkout has it")
                    continue
                old, new = measure.median(before), measure.median(after)
                ratio = new / old if higher[name] else old / new
                worse |= ratio < GOAL
                print(f"{name:64}{old:10.1f}{new:10.1f}{ratio:8.2f}{'' if ratio >= GOAL else '  BELOW'}", flush=True)
    print(f"took      {time.monotonic() - began:.0f} s", file=sys.stderr)
    sys.exit(1 if worse else 0)


if __name__ == "__main__":
    main()
