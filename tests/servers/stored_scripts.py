"""Run stored scripts of tasks in a child, for the tests of the action Script."""

import base64
import os

from sertainty_svc.domain.tasks import Action, TaskDefinition, TaskType
from sertainty_svc.operations.running.order import Order
from sertainty_svc.operations.running.scripting import ScriptPaths, ScriptUnusable, run_stored_script

CHILD = f"{__name__}:run_in_child"
INTERPRETERS = {".py": ("python3", "-I"), ".sh": ("/bin/sh",)}
LOG = "log"


def order_of(folder, name, text, *, definition=(), **changed):
    """Return the order of a task's script below a folder."""
    task = TaskDefinition(name="convert", type=TaskType.CHANGE, action=Action.SCRIPT, script=name, **dict(definition))
    contents = text if isinstance(text, bytes) else text.encode()
    values = {
        "transfer_id": "A" * 48, "token": "B" * 16, "configuration": "night", "number": 1, "attempt": 1,
        "has_files": True, "roots": (str(folder),), "data": str(folder), "private": str(folder / "private"),
        "interpreters": INTERPRETERS, "script_path": os.defpath, "definition": task,
        "script": (name, base64.b64encode(contents).decode()),
    }  # fmt: skip
    return Order(**{**values, **changed})


def run_in_child(channel, payload):
    """Run the script of an order, and return its outcome, or why it is unusable; its log are messages."""
    order = Order.from_json(payload["order"])
    try:
        outcome = run_stored_script(
            order, ScriptPaths(**payload["paths"]), lambda records: channel.tell(LOG, list(records)), channel.interrupt
        )
    except ScriptUnusable as error:
        return {"unusable": str(error)}
    return vars(outcome)
