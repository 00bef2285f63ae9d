"""A worker of executions as a program that tests kill and freeze.

Its argument is a JSON object: the data folder, the URL of its database, its configuration, the lease in seconds,
and whether it has the real child or that of the tests. It writes `ready` once it takes executions.
"""

import json
import os
import sys
import threading

from mft_common.process.runner import Runner, child_environment
from sertainty_svc import bootstrap
from sertainty_svc.operations.executing import sweeping, work
from sertainty_svc.settings import Settings
from tests.servers.execution_child import RUN, SWEEP


def main() -> None:
    """Carry out executions until the input is closed."""
    given = json.loads(sys.argv[1])
    # Logs go where nobody has to read them.
    say = os.dup(1)
    os.dup2(2, 1)
    values = {"SERTAINTY_DATABASE_URL": given["database"], "MFT_DATA": given["data"]}
    target, sweep = (work.RUN, sweeping.SWEEP) if given["real"] else (RUN, SWEEP)
    modules = (target.partition(":")[0],)
    with Runner("sertainty-svc", modules, environment=child_environment(os.environ), level="critical") as runner:
        service = bootstrap.build(
            Settings.from_env(values), directory=object(), config=given["config"], runner=runner
        )  # fmt: skip
        stop = threading.Event()
        dispatcher = service.dispatcher(target, sweep, lease=given["lease"])
        thread = threading.Thread(target=dispatcher.run, args=(stop,))
        thread.start()
        dispatcher.recovered.wait()
        os.write(say, b"ready\n")
        sys.stdin.read()
        stop.set()
        thread.join()


if __name__ == "__main__":
    main()
