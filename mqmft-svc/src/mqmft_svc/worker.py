"""Run the worker: consume events, and purge the record."""

import os
import sys

from mft_common.worker import run_worker
from mqmft_svc import SERVICE, bootstrap
from mqmft_svc.settings import Settings


def main() -> int:
    """Run the worker until SIGTERM; return the process's exit code."""
    environ = dict(os.environ)  # noqa: TID251 -- the one place of the worker that reads the environment
    settings = Settings.from_env(environ)
    return run_worker(
        SERVICE, lambda: bootstrap.build(settings, reader=bootstrap.reader_for(settings, environ)), environ
    )


if __name__ == "__main__":
    sys.exit(main())
