"""The gateway's worker: relay its events, close expired sessions and delete old counts."""

import os
import sys

from gateway.bootstrap import build
from gateway.settings import Settings
from mft_common.worker import run_worker


def main() -> int:
    """Run until SIGTERM or SIGINT; return the process's exit code."""
    environ = dict(os.environ)  # noqa: TID251 -- the one place where this process reads its environment
    settings = Settings.from_env(environ)
    return run_worker("gateway", lambda: build(settings), environ)


if __name__ == "__main__":
    sys.exit(main())
