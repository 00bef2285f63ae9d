"""Share periodic work among workers, so that each portion of it is done by one of them."""

import functools

from filestore_svc.store import sweeps
from filestore_svc.store.commits import Commits
from mft_common.clock import Clock


class Claims:
    """Gives out portions of periodic work. Each kind of work has a name, a cursor and the time of its next portion."""

    def __init__(self, commits: Commits, now: Clock) -> None:
        self._commits = commits
        self._now = now

    def claim(self, name: str, pause: int) -> str | None:
        """Return the cursor of the portion that is due, None where none is; the next is due `pause` ms later."""
        now = self._now()
        with self._commits.database.read() as connection:
            if not sweeps.is_due(connection, name, now=now, pause=pause):
                return None
        return self._commits.run(functools.partial(sweeps.claim, name=name, now=now, pause=pause))

    def advance(self, name: str, before: str, after: str) -> None:
        """Move the cursor on once the portion is done; a worker that died over it leaves it for the next claim."""
        self._commits.run(functools.partial(sweeps.advance, name=name, before=before, after=after))
