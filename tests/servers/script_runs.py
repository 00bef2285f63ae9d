"""Run programs with limits in a child, for the tests of these limits."""

import os
from pathlib import Path

from mft_common.process.runner.scripts import Limits, ScriptNotStarted, run_script

CHILD = f"{__name__}:run_in_child"


def run_in_child(channel, payload):
    """Run a script in a child, and return its end with its lines; the test's modules are imported by name."""
    channel.began()
    lines = []

    def on_lines(found):
        assert len(found) <= 500
        lines.extend((line.stream, line.text) for line in found)
        channel.tell("lines", [line.text for line in found])

    for descriptor in payload.get("open", ()):
        os.dup2(1, descriptor, inheritable=True)
    try:
        end = run_script(
            [*payload.get("program", ["/bin/sh", "-c"]), payload["text"]],
            folder=Path(payload["folder"]),
            environment={"PATH": os.environ["PATH"], "FOLDER": payload["folder"]},
            limits=Limits(**payload["limits"]),
            interrupt=channel.interrupt,
            on_lines=on_lines,
            user=payload.get("user"),
        )
    except ScriptNotStarted as error:
        return {"refused": str(error)}
    return {**vars(end), "lines": lines, "output": "".join(f"{text}\n" for _, text in lines)}
