"""Count the bytes of folders and accounts that have a quota, those in flight included."""

from collections.abc import Collection, Mapping
from typing import Final

import sqlalchemy as sa

from filestore_svc.domain.limits import account_key, account_of
from filestore_svc.errors import NoSpace
from filestore_svc.store.owned_rows import OwnedRows
from filestore_svc.store.tables import files, folders, quotas, reservations
from mft_common.database import advisory_lock
from mft_common.database.statements import Statement

_NAME: Final = "filestore-svc quotas"
_Q = quotas.c
_R = reservations.c
# By the id of the upload; a reservation that several processes use in turn has no owner.
owned = OwnedRows(_R.id)
_COUNTED: Final = Statement(sa.select(sa.or_(sa.exists().select_from(quotas), sa.exists().select_from(reservations))))
_TAKE = (
    sa.update(quotas)
    .where(_Q.path == sa.bindparam("tree"), _Q.used + sa.bindparam("more") <= sa.bindparam("most"))
    .values(used=_Q.used + sa.bindparam("more"))
)
# The quota of `/in` counts files of `/in` and of `/in/...`, not those of `/inbox`.
_HOLDS = sa.func.substr(sa.bindparam("below"), 1, sa.func.length(_Q.path) + 1) == _Q.path + "/"
_ITS = sa.or_(_HOLDS, _Q.path == sa.bindparam("owner_key"))
_GIVE = sa.update(quotas).where(_ITS).values(used=_Q.used - sa.bindparam("less"))
_SIZE = (
    sa.select(files.c.size, files.c.owner, folders.c.path)
    .join(folders, folders.c.id == files.c.folder_id)
    .where(files.c.fileset == sa.bindparam("gone"), sa.exists(sa.select(_Q.path)))
)


def lock(connection: sa.Connection) -> None:
    """Let one transaction at a time count bytes; no lock is taken where nothing is counted.

    A transaction that may count, replace or remove a file takes this lock before any other lock and before it changes
    any row; then the lock of a name; then rows of `files`, in the order of their ids. Transactions that keep to this
    order never wait for one another in a circle. SQLite has one writer at a time.
    """
    if connection.dialect.name != "postgresql":
        return
    counted = _COUNTED.first(connection, {})
    if counted is not None and counted[0]:
        advisory_lock(connection, _NAME)


def apply(connection: sa.Connection, paths: Collection[str]) -> None:
    """Count bytes for these folders and accounts and for no other; a new one begins with the bytes that it holds."""
    advisory_lock(connection, _NAME)
    known = set(connection.execute(sa.select(_Q.path)).scalars())
    if known - set(paths):
        connection.execute(sa.delete(quotas).where(_Q.path.in_(known - set(paths))))
    for path in set(paths) - known:
        account = account_of(path)
        below = sa.func.substr(folders.c.path + "/", 1, len(path) + 1) == f"{path}/"
        held = (
            sa.select(sa.func.coalesce(sa.func.sum(files.c.size), 0))
            .join(folders, folders.c.id == files.c.folder_id)
            .where(below if account is None else files.c.owner == account)
        )
        flying = sa.select(sa.func.coalesce(sa.func.sum(_R.bytes), 0)).where(
            sa.func.substr(_R.folder + "/", 1, len(path) + 1) == f"{path}/"
        )
        used = connection.execute(held).scalar_one() + connection.execute(flying).scalar_one()
        connection.execute(sa.insert(quotas).values(path=path, used=int(used)))


def used(connection: sa.Connection, paths: Collection[str]) -> dict[str, int]:
    """Return how many bytes these folders and accounts hold, those in flight included."""
    return {row.path: row.used for row in connection.execute(sa.select(quotas).where(_Q.path.in_(paths)))}


def replaced(connection: sa.Connection, folder_id: int, name: str) -> tuple[int, str]:
    """Return size and owner of the file that a write to this name replaces; 0 and "" where the name is free."""
    query = sa.select(files.c.size, files.c.owner).where(files.c.folder_id == folder_id, files.c.name == name)
    row = connection.execute(query).first()
    return (0, "") if row is None else (row.size, row.owner)


def take(connection: sa.Connection, over: Mapping[str, int], size: int) -> None:
    """Count `size` bytes more; NoSpace where a quota is full, on which the caller rolls back."""
    if over:
        lock(connection)
    for path, most in over.items():
        if connection.execute(_TAKE, {"tree": path, "more": size, "most": most}).rowcount != 1:
            raise NoSpace


def give_back(connection: sa.Connection, holder: str, size: int, owner: str = "") -> None:
    """Count `size` bytes less for a folder's path or an account's key, and for `owner` where one is named."""
    lock(connection)
    connection.execute(_GIVE, {"below": f"{holder}/", "owner_key": account_key(owner), "less": size})


def forget_file(connection: sa.Connection, fileset: int) -> None:
    """Count the bytes of a file no longer; it is about to be removed."""
    row = connection.execute(_SIZE, {"gone": fileset}).first()
    if row is not None:
        give_back(connection, row.path, row.size, row.owner)


def reserve(
    connection: sa.Connection, identifier: str, folder: str, over: Mapping[str, int], *, size: int, process: str,
    lease_until: int,
) -> None:  # fmt: skip
    """Reserve `size` bytes more for an upload; NoSpace where a quota is full."""
    take(connection, over, size)
    accounts = [key for key in over if account_of(key) is not None]
    for name, holder in ((identifier, folder), *((_of_account(identifier), key) for key in accounts)):
        mine = sa.update(reservations).where(_R.id == name)
        if not connection.execute(mine.values(bytes=_R.bytes + size, lease_until=lease_until)).rowcount:
            values = {"id": name, "folder": holder, "bytes": size, "process": process, "lease_until": lease_until}
            connection.execute(sa.insert(reservations).values(**values))


def release(connection: sa.Connection, identifier: str) -> None:
    """Release the reservation of an upload. Harmless where it has none."""
    lock(connection)
    names = (identifier, _of_account(identifier))
    gone = sa.delete(reservations).where(_R.id.in_(names)).returning(_R.folder, _R.bytes)
    for row in connection.execute(gone).all():
        give_back(connection, row.folder, row.bytes)


def renew(connection: sa.Connection, process: str, now: int, lease_until: int) -> None:
    """Extend the leases of all reservations of a process; one that lapsed before `now` is never revived."""
    lock(connection)
    owned.renew(connection, process, now, lease_until)


def _of_account(identifier: str) -> str:
    """Return the id of the reservation that an upload has of its account's quota, beside that of its folders."""
    return f"{identifier}@"
