"""The leftovers of transfers that are over are removed, over both kinds of database: 180 and 225."""

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from mft_common.clock import now_ms
from mft_common.database import Database
from mqmft_svc import SERVICE
from mqmft_svc.domain.managed_files import ManagedFile
from mqmft_svc.store import managed as store
from mqmft_svc.store.tables import SWEEPS, managed, metadata
from tests.servers.databases import migrate_to
from tests.servers.processes import wait_until
from tests.service.mqmft_svc.managed_hub import AGENTS, hub, left, make, peer, recorded, row, submit, worker

__all__ = ["hub", "make", "peer", "recorded"]


def leaves(hub, id_, names=(), due_at=0, **values):
    """Let a transfer be over and have left something, with files that are delivered and whose sources may be aside."""
    ended = {"status": "over", "ended_at": now_ms(), **values}
    with hub.service.database.write() as connection:
        connection.execute(sa.update(managed).where(managed.c.id == id_).values(**ended))
        found = [
            ManagedFile(position=place, item=0, source=name, destination=name, delivered=True, state="warning")
            for place, name in enumerate(names)
        ]
        store.put_files(connection, id_, found)
        SWEEPS.add(connection, id_, due_at)


@pytest.mark.usefixtures("recorded")
def test_180_what_a_transfer_of_many_files_left_is_removed(hub):
    """Names of more bytes than a message holds; one that fits in none holds up no other transfer."""
    name = "n" * 4096
    ids = [submit(hub, ("a", "a", {"s_disposition": "delete"})) for _ in range(3)]
    leaves(hub, ids[0], [f"{number}{name}/a" for number in range(1200)], due_at=1)
    leaves(hub, ids[1], [f"d/{number}{name}" for number in range(1200)], due_at=2)
    leaves(hub, ids[2], due_at=3)
    with worker(hub):
        wait_until(lambda: left(hub) == {ids[0]: 1})


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(("ended", "given_up"), [(0, False), (86_500_000, True)])
def test_180_what_a_transfer_left_is_given_up_a_day_after_its_end(hub, ended, given_up):
    """It was submitted days ago, and its destination is away: the removal is tried again for a day."""
    id_ = submit(hub, ("a", "a"), destination="AWAY")
    leaves(hub, id_, submitted_at=now_ms() - 3 * 86_400_000, ended_at=now_ms() - ended)
    # It stays in the table until then.
    hub.service.operations.submitting.purge()
    with capture_logs() as lines, worker(hub):
        wait_until(lambda: [line for line in lines if line["event"] == "sweep.failed"])
    assert left(hub) == ({} if given_up else {id_: 1})
    hub.service.operations.submitting.purge()
    assert exists(hub, id_) is not given_up


def exists(hub, id_):
    """Return whether the row of a transfer is there."""
    with hub.service.database.read() as connection:
        return store.find(connection, id_) is not None


@pytest.mark.usefixtures("recorded")
def test_180_what_was_left_where_no_agent_is_configured_any_more_is_given_up_after_a_day(hub, make):
    """A transfer whose leftovers cannot be removed holds up no others."""
    ids = [submit(hub, ("a", "a"), source="ONE") for _ in range(2)]
    later = make({name: entry for name, entry in AGENTS.items() if name != "ONE"})
    leaves(hub, ids[0], ended_at=now_ms() - 86_500_000)
    leaves(hub, ids[1])
    with worker(later):
        wait_until(lambda: left(hub) == {ids[1]: 1})


@pytest.mark.usefixtures("recorded")
def test_180_what_was_left_at_an_agent_that_hangs_holds_up_no_other_agent(hub, tmp_path):
    """Each place has a removal of its own."""
    ids = [submit(hub, ("a", "a"), destination=name) for name in ("HANGS", "HANGS", "YARD")]
    part = tmp_path / f"yard/.a.{ids[2][-16:]}.part"
    part.write_bytes(b"a part")
    for id_ in ids:
        leaves(hub, id_)
    with worker(hub):
        wait_until(lambda: sorted(left(hub)) == sorted(ids[:2]), within=10)
    assert not part.exists()


def test_what_transfers_had_left_before_the_upgrade_is_removed_after_it(database_url, make):
    """Revision 0006 kept in a status of the transfer that its files are still to be removed."""
    old = Database(database_url, schema=SERVICE, metadata=metadata, migrations="mqmft_svc.migrations", head="0006")
    migrate_to(old, "0006")
    values = dict.fromkeys(("account", "host", "request_id", "source_agent", "destination_agent", "stop"), "")
    values |= {"submission": "{}", "owner": "", "priority": 0, "submitted_at": 1, "due_at": 7, "retries": 0, "fence": 0}
    with old.write() as connection:
        for status in ("leaving", "over"):
            connection.execute(sa.insert(managed).values(**values, id=status, status=status))
    old.close()
    new = make()
    assert left(new) == {"leaving": 0}
    assert {row(new, id_).status for id_ in ("leaving", "over")} == {"over"}
