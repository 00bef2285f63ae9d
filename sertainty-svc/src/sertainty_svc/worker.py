"""Run the worker: consume events, and store the agent's heartbeat."""

import os
import sys

from mft_common.worker import run_worker
from sertainty_svc import SERVICE, bootstrap
from sertainty_svc.settings import Settings


def main() -> int:
    """Run the worker until SIGTERM; return the process's exit code."""
    environ = dict(os.environ)  # noqa: TID251 -- the one place of the worker that reads the environment
    settings = Settings.from_env(environ)
    return run_worker(SERVICE, lambda: bootstrap.build(settings), environ)


if __name__ == "__main__":
    sys.exit(main())
