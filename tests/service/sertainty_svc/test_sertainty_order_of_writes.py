"""The order in which an execution makes an output durable and removes its source, by its system calls (87, B35)."""

import json
import re
import subprocess

import pytest

from sertainty_svc.domain.tasks import Action, AfterSuccess
from tests.servers.execution_program import command_of
from tests.servers.processes import program
from tests.service.sertainty_svc.execution_worker import definition
from tests.service.sertainty_svc.protected_tasks import machines

__all__ = ["machines"]

_CALLS = "fsync,rename,renameat,renameat2,linkat,unlinkat,unlink,sendto"
_LINE = re.compile(r"\d+ +(\w+)\((.*)\) += (\d+)")


def calls_of(tmp_path, action, after, order):
    """Return the calls of an execution that concern its files and its reports, in their order."""
    trace = tmp_path / "trace"
    strace = [
        program(["strace"], "strace"),
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-y",
        "-s",
        "400",
        "-o",
        trace,
        "-e",
        f"trace={_CALLS}",
    ]
    task = definition(action, after_success=after, id_name="edge.iic")
    ended = subprocess.run(
        [*strace, *command_of(tmp_path, task, order)], capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(ended.stdout)["states"] == {"a": "successful"}
    found = []
    for line in trace.read_text().splitlines():
        if (match := _LINE.match(line)) is not None:
            call, arguments, _ = match.groups()
            if step := _step(call, arguments, str(tmp_path / "root")):
                found.append(step)
    return found


def _step(call, arguments, root):
    """Return what a call means to the file `a`, "" for others."""
    if call == "sendto":
        state = re.search(r'\\"state\\": ?\\"(\w+)\\"', arguments)
        kind = re.search(r'\\"kind\\": ?\\"(\w+)\\"', arguments)
        return f"report {kind[1]} {state[1]}" if kind and state and kind[1] in ("changed", "may_commit") else ""
    if root not in arguments:
        return ""
    if call == "fsync":
        name = arguments.split("<")[1].rstrip(">").removeprefix(f"{root}/")
        return f"fsync {name if not name.endswith('.part') else name.split('/')[0] + '/part'}"
    places = [place.removeprefix(f"{root}/") for place in re.findall(r"<([^>]+)>", arguments)]
    names = [_shown(name) for name in re.findall(r'"([^"]+)"', arguments)]
    kind = "remove" if call.startswith("unlink") else "rename"
    return f"{kind} {' '.join(f'{place}/{name}' for place, name in zip(places, names, strict=False))}"


def _shown(name):
    return "aside" if name.startswith("..") else "part" if name.endswith(".part") else name


DELIVERED = [
    "report changed moving",
    "fsync out/part",
    "report may_commit moving",
    "rename out/part out/{}",
    "fsync out",
]


@pytest.mark.parametrize(("action", "name"), [(Action.MOVE, "a"), (Action.AUTO_PROTECT, "a.sealed")])
def test_87_b35_a_source_is_deleted_after_its_output_is_durable_and_recorded(tmp_path, machines, action, name):
    """Item 87 and report B35: fsync of the file, rename, fsync of the folder, report, and then the source."""
    (tmp_path / "data" / "state").mkdir(parents=True)
    (tmp_path / "root" / "in").mkdir(parents=True)
    (tmp_path / "root" / "in" / "a").write_bytes(b"content")
    found = calls_of(tmp_path, action, AfterSuccess.DELETE, machines.here.order())
    begin = found.index("report changed moving")
    assert found[begin:] == [
        *(step.format(name) for step in DELIVERED),
        "report changed delivered",
        "rename in/a in/aside",
        "remove in/aside",
        "fsync in",
        "report changed successful",
    ]


def test_87_b35_a_source_is_archived_after_its_output_is_durable_and_recorded(tmp_path, machines):
    """Item 87 and report B35: the archive and the source folder are durable before the end is reported."""
    (tmp_path / "data" / "state").mkdir(parents=True)
    (tmp_path / "root" / "in").mkdir(parents=True)
    (tmp_path / "root" / "in" / "a").write_bytes(b"content")
    found = calls_of(tmp_path, Action.COPY, AfterSuccess.ARCHIVE, machines.here.order())
    begin = found.index("report changed moving")
    assert found[begin:] == [
        *(step.format("a") for step in DELIVERED),
        "report changed delivered",
        "report changed delivered",
        "rename in/a done/a",
        "fsync done",
        "fsync in",
        "report changed successful",
    ]
