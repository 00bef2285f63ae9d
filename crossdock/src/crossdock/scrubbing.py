"""Compare the stored bytes of a hub on this machine with the records of them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import filestore_svc.bootstrap
from crossdock import environment
from crossdock.errors import CannotStart
from filestore_svc.settings import SERVICE, Settings


def run(data: Path, environ: Mapping[str, str], say: Callable[[str], object]) -> int:
    """Print each finding as `kind, fileset, path` with `say`, then the totals; return the number of findings."""
    if not (data / "state" / SERVICE).exists():
        raise CannotStart(f"{data} holds no hub")
    settings = Settings.from_env(environment.of_one_machine(data, environ, host="127.0.0.1", demo=False))
    count = 0
    with filestore_svc.bootstrap.scrub(settings) as scrub:
        for finding in scrub.findings():
            count += 1
            say("\t".join((finding.kind, str(finding.fileset), finding.path)))
        say(f"{scrub.checked} checked, {count} found")
    return count
