"""Executions that protect and unprotect, whose child is killed with SIGKILL (88, B34)."""

import os
import random
import time

import pytest

from mft_common.transfer.steps.sealed import Unseal
from sertainty_svc.domain.tasks import Action, AfterSuccess
from sertainty_svc.operations.protection.host_key import HostKey
from sertainty_svc.operations.protection.opening import opener
from sertainty_svc.operations.running.order import Result
from tests.servers.diplomat_jobs import tree
from tests.service.sertainty_svc.execution_worker import children, task
from tests.service.sertainty_svc.protected_tasks import Machines, machines, now_ms

__all__ = ["children", "machines", "task"]

OVER = Result()
CONTENT = os.urandom(150_000)
_SEED = 20260201
_KILLS = 16


class Restoring:
    """What AutoProtect and AutoUnprotect make of one file, on one machine."""

    def __init__(self, machines: Machines) -> None:
        self.order = machines.here.order()
        self.sealed = machines.here.seal("a", CONTENT)
        self._open = opener(machines.here.contents, HostKey.load(machines.here.path), machines.here.uuid, now_ms())

    def restored(self, sealed):
        """Return the content of a protected file; it raises where that is not whole."""
        step = Unseal(self._open)
        return b"".join([*step.feed(sealed), *step.finish()])

    def options(self, action):
        """Return what a task of an action is made of, whose source is deleted at the end."""
        files = {"in/a": CONTENT} if action is Action.AUTO_PROTECT else {"in/a.sealed": self.sealed}
        return {"files": files, "order": self.order, "id_name": "edge.iic", "after_success": AfterSuccess.DELETE}

    def check_output(self, one, action):
        """Check that an output that is visible is whole, and return whether there is one."""
        found = {name: data for name, data in tree(one.root).items() if name.startswith("out/") and "/." not in name}
        for name, data in found.items():
            assert name == ("out/a.sealed" if action is Action.AUTO_PROTECT else "out/a")
            assert (self.restored(data) if action is Action.AUTO_PROTECT else data) == CONTENT
        return bool(found)

    def check_after_kill(self, one, action):
        """Check that nothing is lost, and that the next attempt ends the file once."""
        name, content = next(iter(self.options(action)["files"].items()))
        there = self.check_output(one, action)
        sources = [data for path, data in tree(one.root).items() if path.startswith("in/")]
        delivered = bool(one.files) and one.one().state in ("delivered", "successful")
        assert sources == [content] or (there and delivered), sorted(tree(one.root))
        before = [path.stat().st_ino for path in one.root.glob("out/[!.]*")]
        if not (one.files and one.one().over):
            assert one.run(attempt=2) == OVER
        assert one.one().state == "successful", one.one()
        assert self.check_output(one, action)
        assert len(tree(one.root)) == 1, (name, sorted(tree(one.root)))
        after = [path.stat().st_ino for path in one.root.glob("out/[!.]*")]
        assert before in ([], after)


ACTIONS = [Action.AUTO_PROTECT, Action.AUTO_UNPROTECT]


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("action", ACTIONS)
def test_88_b34_after_kill_9_at_any_message(task, machines, action, stored):
    """Item 88 and report B34: the output of an attempt that was cut off after its commit is recognised."""
    restoring = Restoring(machines)
    undisturbed = task(action, folder=machines.folder / "undisturbed", **restoring.options(action))
    assert undisturbed.run() == OVER
    for number in range(len(undisturbed.messages)):
        one = task(action, folder=machines.folder / str(number), **restoring.options(action))
        one.refused = (number, stored)
        assert one.killed()
        one.refused = None
        restoring.check_after_kill(one, action)


@pytest.mark.parametrize("action", ACTIONS)
def test_88_b34_after_kill_9_at_any_moment(task, machines, action):
    """Item 88 and report B34: kills at seeded moments of a protect and of an unprotect."""
    restoring = Restoring(machines)
    undisturbed = task(action, folder=machines.folder / "undisturbed", **restoring.options(action))
    began = time.monotonic()
    assert undisturbed.run() == OVER
    lasted = time.monotonic() - began
    drawn, killed = random.Random(_SEED), 0
    for number in range(_KILLS):
        one = task(action, folder=machines.folder / str(number), **restoring.options(action))
        handle = one.start()
        handle.wait(drawn.random() * lasted)
        handle.kill()
        killed += not handle.wait(60).completed
        restoring.check_after_kill(one, action)
    assert killed > 0
