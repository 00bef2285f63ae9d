"""A worker of the agent as a program that tests kill and freeze.

Its argument is a JSON object: the folder of the hub, the URL of its database, and the lease in seconds. It writes
`ready` once it has looked at the agent. It ends when its input is closed.
"""

import json
import os
import sys
import threading
from pathlib import Path

from sertainty_svc import bootstrap
from sertainty_svc.operations.agent_worker import AgentWorker
from sertainty_svc.settings import Settings


def main() -> None:
    """Run the agent's part of a worker until the input is closed."""
    given = json.loads(sys.argv[1])
    # Logs go where nobody has to read them.
    say = os.dup(1)
    os.dup2(2, 1)
    values = {"SERTAINTY_DATABASE_URL": given["database"], "MFT_DATA": str(Path(given["folder"]) / "data")}
    service = bootstrap.build(Settings.from_env(values), directory=object(), config={})
    worker = AgentWorker(service.database, lease=given["lease"])
    worker.look()
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    os.write(say, b"ready\n")
    sys.stdin.read()
    stop.set()
    thread.join()
    service.close()


if __name__ == "__main__":
    main()
