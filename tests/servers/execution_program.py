"""Run one execution in a child of a runner of this process, for a test that watches its system calls."""

import json
import sys
from pathlib import Path

from mft_common.process.runner import Runner
from sertainty_svc.domain.tasks import Action, AfterSuccess
from tests.service.sertainty_svc.execution_worker import Task, definition


def main():
    """Run the action with what follows success in a folder, and write the states of its files."""
    folder, action, after, order = Path(sys.argv[1]), Action(sys.argv[2]), AfterSuccess(sys.argv[3]), sys.argv[4]
    with Runner("sertainty-svc", ("sertainty_svc.operations.running.child",)) as runner:
        one = Task(runner, folder, definition(action, after_success=after, id_name="edge.iic"), **json.loads(order))
        one.run()
        sys.stdout.write(json.dumps(one.states()))


if __name__ == "__main__":
    main()
