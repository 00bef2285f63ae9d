"""Run the worker of filestore-svc: relay its events, and sweep."""

import os
import sys

from filestore_svc import bootstrap
from filestore_svc.settings import SERVICE, Settings
from mft_common.worker import run_worker


def main() -> int:
    """Run the worker until it is told to stop; return the process's exit code."""
    environ = dict(os.environ)  # noqa: TID251 -- the one place of the worker that reads the environment
    settings = Settings.from_env(environ)
    return run_worker(SERVICE, lambda: bootstrap.build(settings), environ)


if __name__ == "__main__":
    sys.exit(main())
