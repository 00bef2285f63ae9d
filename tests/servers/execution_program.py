"""Run one execution in a child of a runner of this process: for system calls to be watched, and on a small disk."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from mft_common.process.runner import Runner
from sertainty_svc.domain.tasks import TaskDefinition
from tests.service.sertainty_svc.execution_worker import Task


def command_of(folder, definition, order):
    """Return the command that runs an execution of a task below a folder, and writes its result and its files."""
    given = json.dumps({"definition": definition.to_json(), "order": order})
    return [sys.executable, "-m", "tests.servers.execution_program", str(folder), given]


def main():
    """Run it."""
    given = json.loads(sys.argv[2])
    with Runner("sertainty-svc", ("sertainty_svc.operations.running.child",)) as runner:
        one = Task(runner, Path(sys.argv[1]), TaskDefinition.from_json(given["definition"]), **given["order"])
        result = one.run()
    sys.stdout.write(json.dumps({"result": asdict(result), "states": one.states()}))


if __name__ == "__main__":
    main()
