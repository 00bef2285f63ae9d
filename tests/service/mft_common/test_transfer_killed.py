"""Moving files in a real process that is killed at many instants."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from mft_common.endpoints.files import FileEndpoint
from mft_common.endpoints.folders import Folder

TOKEN = "00000000000000AA"
SEED = 20261121
OLD, NEW = b"old" * 100_000, b"new" * 700_000
PROGRAM = textwrap.dedent("""
    import os, sys
    from pathlib import Path
    from mft_common.endpoints.files import FileEndpoint
    from mft_common.endpoints.folders import Folder
    from mft_common.endpoints.names import Patterns
    from mft_common.transfer import Mover
    def opened(path):
        return FileEndpoint(Folder(os.open(path, os.O_RDONLY | os.O_DIRECTORY)))
    source, target = opened(sys.argv[1]), opened(sys.argv[2])
    print("ready", flush=True)
    sys.stdin.readline()
    while True:
        for entry in source.list(Patterns(["*"])):
            if sys.argv[4] == "fail":
                # Also that of a process that was killed before it could remove it.
                Path(sys.argv[2], "x.bin").unlink(missing_ok=True)
            Mover(token=sys.argv[3], if_exists=sys.argv[4]).move(source, entry, target, "x.bin")
""")


@pytest.mark.parametrize("if_exists", ["replace", "fail"])
def test_kill_9_at_any_instant_shows_old_or_new_and_the_sweep_removes_the_rest(tmp_path, if_exists):
    """After each of 30 seeded kills the name holds whole content or nothing, and a sweep leaves nothing unfinished."""
    chance = random.Random(SEED)
    source, target = tmp_path / "from", tmp_path / "to"
    source.mkdir()
    target.mkdir()
    (source / "one").write_bytes(OLD)
    (source / "two").write_bytes(NEW)
    leftovers = 0
    for _ in range(15):
        arguments = [sys.executable, "-c", PROGRAM, source, target, TOKEN, if_exists]
        with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            child.stdout.readline()
            child.stdin.write(b"\n")
            child.stdin.flush()
            deadline = time.monotonic() + chance.uniform(0.0, 0.06)
            while time.monotonic() < deadline:
                pass
            child.send_signal(signal.SIGKILL)
            child.wait()
            child.stdin.close()
        for path in target.iterdir():
            if path.name == "x.bin":
                assert path.read_bytes() in (OLD, NEW)
            else:
                assert path.name == f".x.bin.{TOKEN}.part"
        endpoint = FileEndpoint(Folder(os.open(target, os.O_RDONLY | os.O_DIRECTORY)))
        leftovers += len(endpoint.sweep(TOKEN))
        endpoint.close()
        assert [path.name for path in target.iterdir()] in ([], ["x.bin"])
    assert leftovers > 0
