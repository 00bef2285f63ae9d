"""A worker of managed transfers and calls as a process of its own, which a test kills at any moment."""

import json
import os
import sys
import threading
from pathlib import Path

from mft_common import logs
from mft_common.config import Reader
from mft_common.process.background_tasks import start_tasks
from mft_common.process.runner import Runner, child_environment
from mqmft_svc import bootstrap
from mqmft_svc.settings import Settings


def main() -> None:
    """Run the tasks whose names end with one of `tasks` until the process is killed."""
    options = json.loads(sys.argv[1])
    logs.configure("mqmft-svc", "info")
    folder = Path(options["folder"])
    with Runner("mqmft-svc", bootstrap.child_modules({}), environment=child_environment(os.environ)) as runner:
        service = bootstrap.build(
            Settings.from_env(options["environ"]),
            directory=object(),
            config=options["config"],
            reader=Reader(folder, {}, data=folder),
            runner=runner,
        )
        for thread in start_tasks(service.carrying_out(), threading.Event()):
            thread.join()


if __name__ == "__main__":
    main()
