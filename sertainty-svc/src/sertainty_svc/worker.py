"""Run the worker: consume events, and run the agent."""

import os
import sys

from mft_common.worker import run_worker
from sertainty_svc import SERVICE, bootstrap
from sertainty_svc.settings import Settings


def main() -> int:
    """Run the worker until SIGTERM; return the process's exit code."""
    environ = dict(os.environ)  # noqa: TID251 -- the one place of the worker that reads the environment
    settings = Settings.from_env(environ)
    # First of all: the fork server is to have no thread, and lives as long as the thread that starts it.
    with bootstrap.new_runner(settings, environ) as runner:
        return run_worker(SERVICE, lambda: bootstrap.build(settings, runner=runner), environ)


if __name__ == "__main__":
    sys.exit(main())
