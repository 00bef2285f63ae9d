"""Measure how fast files are moved to and from every kind of endpoint, beside the usual program for it.

    .venv/bin/python bench/endpoints.py [--folder DIR] [--large] [KIND ...]

Each kind is a module `endpoints_KIND.py` with a function `run(folder, large)`: it prints its figures, median of its
rounds, ours and the peer's in turn. Without KIND all kinds run. `--large` adds what needs 25 GiB of disk.
"""

import argparse
import importlib
import signal
import sys
import tempfile
from pathlib import Path

import measure

HERE = Path(__file__).parent
KINDS = sorted(path.stem.removeprefix("endpoints_") for path in HERE.glob("endpoints_*.py"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kinds", nargs="*", choices=[*KINDS, []], metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--folder", type=Path, help="where the files lie; a temporary folder by default")
    parser.add_argument("--large", action="store_true", help="measure the memory for 10 GiB too")
    given = parser.parse_args()
    # The servers end with this program, also where `timeout` ends it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    measure.head("moving files between endpoints")
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="endpoints-") as made:
        for kind in given.kinds or KINDS:
            print(f"\n## {kind}")
            folder = Path(made) / kind
            folder.mkdir()
            importlib.import_module(f"endpoints_{kind}").run(folder, large=given.large)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    main()
