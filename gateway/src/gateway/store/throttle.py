"""Counts of failed logins, one row for each client and for each account from a client."""

from collections.abc import Sequence

import sqlalchemy as sa

from gateway.domain import Bucket
from gateway.store.tables import login_throttle, prompt_failures

# One statement counts, so that no count of two replicas is lost; it changes nothing past the threshold.
_COUNT = sa.text(
    "INSERT INTO login_throttle (key, clear_at) VALUES (:key, :now + :refill) ON CONFLICT (key) DO UPDATE "
    "SET clear_at = CASE WHEN login_throttle.clear_at > :now THEN login_throttle.clear_at ELSE :now END + :refill "
    "WHERE login_throttle.clear_at - :now <= :most RETURNING clear_at"
).bindparams(
    *(sa.bindparam(name, type_=sa.BigInteger()) for name in ("now", "refill", "most")),
    sa.bindparam("key", type_=sa.String()),
)
_FAIL = sa.text(
    "INSERT INTO prompt_failures (key, failures, failed_at) VALUES (:key, 1, :now) ON CONFLICT (key) DO UPDATE SET "
    "failures = prompt_failures.failures + 1, failed_at = :now RETURNING failures"
)


def clear_at(connection: sa.Connection, keys: Sequence[str]) -> list[int]:
    """Return for each key the time at which its count is zero, 0 where there is none."""
    query = sa.select(login_throttle.c.key, login_throttle.c.clear_at).where(login_throttle.c.key.in_(keys))
    found = {row.key: row.clear_at for row in connection.execute(query)}
    return [found.get(key, 0) for key in keys]


def count(connection: sa.Connection, key: str, bucket: Bucket, now: int) -> bool:
    """Count one failure; False, and nothing is counted, when the threshold is passed already."""
    values = {"key": key, "now": now, "refill": bucket.refill, "most": bucket.most}
    return connection.execute(_COUNT, values).one_or_none() is not None


def clear(connection: sa.Connection, key: str) -> None:
    """Set a count to zero."""
    connection.execute(sa.delete(login_throttle).where(login_throttle.c.key == key))


def prune(connection: sa.Connection, now: int, limit: int) -> int:
    """Delete at most `limit` counts that are at zero; return how many there were."""
    over = login_throttle.c.clear_at <= now
    some = sa.select(login_throttle.c.key).where(over).limit(limit)
    return connection.execute(sa.delete(login_throttle).where(login_throttle.c.key.in_(some), over)).rowcount


def failed_prompts(connection: sa.Connection, key: str) -> int:
    """Return how many sets of answers in a row were wrong."""
    query = sa.select(prompt_failures.c.failures).where(prompt_failures.c.key == key)
    return connection.execute(query).scalar() or 0


def fail_prompts(connection: sa.Connection, key: str, most: int, now: int) -> int:
    """Count a wrong set of answers and return how many in a row there were; at `most` the count begins anew."""
    failures = int(connection.execute(_FAIL, {"key": key, "now": now}).scalar_one())
    if failures >= most:
        clear_prompts(connection, key)
    return failures


def clear_prompts(connection: sa.Connection, key: str) -> None:
    """Set the count of wrong sets of answers to zero."""
    connection.execute(sa.delete(prompt_failures).where(prompt_failures.c.key == key))


def prune_prompts(connection: sa.Connection, before: int) -> None:
    """Delete the counts of attempts whose last failure was earlier than `before`."""
    connection.execute(sa.delete(prompt_failures).where(prompt_failures.c.failed_at < before))
