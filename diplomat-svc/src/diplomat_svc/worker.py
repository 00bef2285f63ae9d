"""Run the worker: run jobs, relay and consume events."""

import os
import sys

from diplomat_svc import bootstrap
from diplomat_svc.settings import SERVICE, Settings
from mft_common.worker import run_worker


def main() -> int:
    """Run the worker until SIGTERM; return the process's exit code."""
    environ = dict(os.environ)  # noqa: TID251 -- the one place of the worker that reads the environment
    settings = Settings.from_env(environ)
    # First of all: the fork server is to have no thread, and lives as long as the thread that starts it.
    with bootstrap.new_runner(settings, environ) as runner:
        return run_worker(SERVICE, lambda: bootstrap.build(settings, environ=environ, runner=runner), environ)


if __name__ == "__main__":
    sys.exit(main())
