"""A worker of managed transfers as a program that tests kill.

Its argument is a JSON object: the folder of the hub, the URL of its database, its configuration, and the secrets that
this refers to. It writes `ready` once it takes transfers.
"""

import json
import os
import sys
import threading
from pathlib import Path

from mft_common.config import Reader
from mft_common.process.background_tasks import BackgroundTask, start_tasks
from mft_common.process.runner import Runner, child_environment
from mqmft_svc.bootstrap import child_modules
from tests.service.mqmft_svc.mqmft_hub import Hub


def main() -> None:
    """Carry out transfers until the input is closed."""
    given = json.loads(sys.argv[1])
    # Logs go where nobody has to read them.
    say = os.dup(1)
    os.dup2(2, 1)
    folder = Path(given["folder"])
    modules = child_modules(given["config"])
    with Runner("mqmft-svc", modules, environment=child_environment(os.environ), level="critical") as runner:
        reader = Reader(folder, given["secrets"], data=folder)
        hub = Hub(folder, config=given["config"], reader=reader, runner=runner, MQMFT_DATABASE_URL=given["database"])
        stop = threading.Event()
        dispatcher = hub.service.dispatcher()
        # As a worker does: it begins anew where it was frozen for longer than its lease lasts.
        (thread,) = start_tasks([BackgroundTask("managed", dispatcher.run)], stop)
        dispatcher.recovered.wait()
        os.write(say, b"ready\n")
        sys.stdin.read()
        stop.set()
        thread.join()


if __name__ == "__main__":
    main()
