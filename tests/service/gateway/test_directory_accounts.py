"""The accounts of the configuration become those of the table, and only differences are written."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from gateway.domain import AccountSpec, Prompt, PromptRules
from gateway.operations.apply import Applied
from gateway.operations.passwords import Passwords
from gateway.store import accounts as store
from gateway.store.tables import OUTBOX
from mft_common import directory as d

PART = AccountSpec(name="part1", password="partner1", contact="Partner One", grants={"http_mft": {"contract": "std"}})
AUDITOR = AccountSpec(
    name="auditor", grants={"data_protector": {"role": "full"}}, prompts=(Prompt(text="Berth?", answer="7"),)
)


def row(database, name):
    """Return an account as it is stored."""
    with database.read() as connection:
        return store.find(connection, name)


def account_events(database):
    """Return name, revision and kind of change of each account event, oldest first."""
    table = OUTBOX.table
    with database.read() as connection:
        query = sa.select(table.c.data).where(table.c.type == "account.changed.v1").order_by(table.c.position)
        events = [json.loads(text) for text in connection.execute(query).scalars()]
    return [(event["name"], event["revision"], event["what"]) for event in events]


@pytest.fixture
def watch(database):
    """Return a function that is True when any connection has committed a change since it was last called."""
    with database.engine.connect() as connection:
        seen = [connection.exec_driver_sql("PRAGMA data_version").scalar()]
        connection.rollback()

        def changed():
            before, seen[0] = seen[0], connection.exec_driver_sql("PRAGMA data_version").scalar()
            connection.rollback()
            return seen[0] != before

        yield changed


def test_second_start_writes_nothing(operations, watch):
    """The same configuration once more writes no row and no event."""
    assert operations.apply_accounts([PART, AUDITOR]) == Applied(made=("part1", "auditor"))
    assert watch()
    assert operations.apply_accounts([PART, AUDITOR]) == Applied()
    assert not watch()


@pytest.mark.parametrize(
    "changed",
    [
        {"contact": "Partner 1"},
        {"enabled": False},
        {"expired": True},
        {"password": "other"},
        {"password": None},
        {"grants": {}},
        {"prompts": (Prompt(text="Berth?", answer="7"),)},
    ],
)
def test_each_change_counts_once(operations, database, changed):
    """Any change counts the revision up by one, keeps the number, and has one event."""
    operations.apply_accounts([PART])
    before = row(database, "part1")
    spec = AccountSpec(**{**PART.__dict__, **changed})
    assert operations.apply_accounts([spec]) == Applied(changed=("part1",))
    assert operations.apply_accounts([spec]) == Applied()
    after = row(database, "part1")
    assert (after.number, after.revision) == (before.number, 2)
    assert account_events(database) == [("part1", 1, "made"), ("part1", 2, "changed")]


class Counting(Passwords):
    """Passwords that count how many hashes they compute."""

    def __init__(self):
        super().__init__(4, memory_kib=64)
        self.count = 0

    def hash(self, text):
        """See Passwords."""
        self.count += 1
        return super().hash(text)

    def matches(self, hashed, text):
        """See Passwords."""
        self.count += 1
        return super().matches(hashed, text)


def many(count, **changed):
    """Return so many accounts, each with a password and a prompt; `changed` gives some another password."""
    return [
        AccountSpec(
            name=f"part{number}",
            password=changed.get(f"part{number}", f"secret {number}"),
            prompts=(Prompt(text="Berth?", answer=f"{number}"),),
        )
        for number in range(count)
    ]


def test_a_start_costs_few_hashes(make_operations):
    """A new secret costs one hash, unchanged accounts one for many, and a change those of its group."""
    passwords = Counting()
    operations = make_operations(passwords=passwords)
    costs = []
    for specs in (many(300), many(300), list(reversed(many(300))), many(300, part7="other")):
        passwords.count = 0
        applied = operations.apply_accounts(specs)
        costs.append(passwords.count)
    assert applied == Applied(changed=("part7",))
    assert costs[0] <= 600 + 64
    assert max(costs[1:3]) <= 64
    assert costs[3] <= 64 + 40
    assert isinstance(operations.verify("filestore-svc", "part7", "other", "192.0.2.1"), d.Account)


def test_a_changed_secret_among_many_is_found(make_operations, database):
    """Another answer, a password that two accounts swap, and one that was taken away are found."""
    operations = make_operations(passwords=Counting())
    operations.apply_accounts(many(200))
    answer = AccountSpec(name="part3", password="secret 3", prompts=(Prompt(text="Berth?", answer="other"),))
    swapped = many(200, part1="secret 2", part2="secret 1")
    specs = [answer if spec.name == "part3" else spec for spec in swapped]
    specs[4] = AccountSpec(name="part4", prompts=specs[4].prompts)
    assert set(operations.apply_accounts(specs).changed) == {"part1", "part2", "part3", "part4"}
    assert operations.apply_accounts(specs) == Applied()
    assert isinstance(operations.verify("filestore-svc", "part1", "secret 2", "192.0.2.1"), d.Account)
    assert row(database, "part4").password_hash is None


def test_time_of_the_password(operations, database, time):
    """Only another password moves the time of the last password change."""
    operations.apply_accounts([PART])
    began = time.now
    time.now += 1000
    operations.apply_accounts([AccountSpec(name="part1", password="partner1", contact="X")])
    assert row(database, "part1").password_changed_at == began
    operations.apply_accounts([AccountSpec(name="part1", password="partner2", contact="X")])
    assert row(database, "part1").password_changed_at == time.now


def test_removed_and_back(operations, database):
    """A removed account loses all but its number and revision, which no other account gets."""
    operations.apply_accounts([PART])
    number = row(database, "part1").number
    assert operations.apply_accounts([AUDITOR]) == Applied(made=("auditor",), removed=("part1",))
    assert operations.verify("filestore-svc", "part1", "partner1", "192.0.2.1") == d.Wrong()
    assert row(database, "part1").password_hash is None
    assert operations.apply_accounts([PART, AUDITOR]) == Applied(made=("part1",))
    back = row(database, "part1")
    assert (back.number, back.revision) == (number, 3)
    assert account_events(database)[-2:] == [("part1", 2, "removed"), ("part1", 3, "made")]


def test_new_answer(operations):
    """Another answer holds at once, and closes what was opened by the former one."""
    operations.apply_accounts([AUDITOR])
    opened = operations.open_session(service="sertainty-svc", account="auditor")
    other = operations.open_session(service="filestore-svc", account="auditor")
    changed = AccountSpec(name="auditor", grants=AUDITOR.grants, prompts=(Prompt(text="Berth?", answer="8"),))
    operations.apply_accounts([changed])
    assert operations.find_session("sertainty-svc", opened.token) is None
    assert operations.find_session("filestore-svc", other.token)
    assert isinstance(operations.verify_prompts("auditor", [(None, "8")], "192.0.2.1"), d.Account)
    assert isinstance(operations.verify_prompts("auditor", [(None, "7")], "192.0.2.1"), d.Challenge)


def test_replicas_that_start_together(make_operations, database):
    """Of several replicas that apply one configuration at once, one writes it."""
    replicas = [make_operations() for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        applied = list(threads.map(lambda replica: replica.apply_accounts([PART, AUDITOR]), replicas))
    assert sorted(len(each.made) for each in applied) == [0, 0, 0, 2]
    assert len(account_events(database)) == 2


def test_newer_parameters(make_operations, database):
    """A hash of former parameters is replaced at the next login or start, and sessions stay open."""
    make_operations(passwords=Passwords(memory_kib=64)).apply_accounts([PART])
    newer = make_operations(passwords=Passwords(memory_kib=128))
    before = row(database, "part1")
    assert isinstance(newer.verify("filestore-svc", "part1", "partner1", "192.0.2.1"), d.Account)
    after = row(database, "part1")
    assert "m=128" in after.password_hash
    assert after.revision == before.revision
    newest = make_operations(passwords=Passwords(memory_kib=256))
    newest.apply_accounts([PART])
    assert "m=256" in row(database, "part1").password_hash
    assert row(database, "part1").revision == before.revision
    assert len(account_events(database)) == 1


def test_right_passwords_write_nothing(operations, watch):
    """A login with nothing to clear leaves the database as it was; one after a mistake clears that once."""
    operations.apply_accounts([PART])
    watch()
    operations.verify("filestore-svc", "part1", "partner1", "192.0.2.1")
    assert not watch()
    operations.verify("filestore-svc", "part1", "wrong", "192.0.2.1")
    assert watch()
    operations.verify("filestore-svc", "part1", "partner1", "192.0.2.1")
    assert watch()
    operations.verify("filestore-svc", "part1", "partner1", "192.0.2.1")
    assert not watch()


def test_success_clears_its_own_count_alone(operations, time):
    """A right password clears the account's count from the client, and leaves the client's own as it was."""
    operations.apply_accounts([PART])
    for _ in range(19):
        operations.verify("filestore-svc", "part1", "wrong", "192.0.2.1")
    assert isinstance(operations.verify("filestore-svc", "part1", "partner1", "192.0.2.1"), d.Account)
    assert operations.verify("filestore-svc", "part1", "wrong", "192.0.2.1") == d.Wrong()
    assert operations.verify("filestore-svc", "part1", "wrong", "192.0.2.1") == d.Throttled(15)
    time.now += 15_000
    assert operations.verify("filestore-svc", "part1", "wrong", "192.0.2.1") == d.Wrong()


def test_old_counts_are_forgotten(operations, database, time):
    """Counts that are at zero are deleted."""
    operations.verify("filestore-svc", "nobody", "wrong", "192.0.2.1")
    operations.verify_prompts("nobody", [(None, "x")], "192.0.2.1")
    assert operations.prune_counts() == 0
    time.now += 25 * 3600 * 1000
    assert operations.prune_counts() == 2
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM prompt_failures").scalar() == 0


def test_made_up_prompts_outlive_a_restart(make_operations):
    """Every replica, also after a restart, has the same prompts for an unknown name."""
    names = [f"unknown{i}" for i in range(20)]
    first, second = make_operations(), make_operations()
    assert [first.prompts(name, "x") for name in names] == [second.prompts(name, "x") for name in names]


def test_unknown_users_may_be_denied(make_operations):
    """Under `unknown_users: deny` an unknown name gets no prompts."""
    operations = make_operations()
    operations.apply_accounts([AUDITOR])
    operations.apply_prompt_rules(PromptRules(unknown_users="deny"))
    assert operations.prompts("nobody", "192.0.2.1") == d.Denied()
    assert operations.verify_prompts("nobody", [(None, "x")], "192.0.2.1") == d.Denied()
    assert operations.prompts("auditor", "192.0.2.1") == d.Challenge(("Berth?",))


def test_account_by_name(operations):
    """An enabled account is found by its exact name, with the grant of the asking service."""
    operations.apply_accounts([PART, AccountSpec(name="off", enabled=False)])
    assert operations.account("filestore-svc", "part1").grant == {"contract": "std"}
    assert operations.account("filestore-svc", "Part1") is None
    assert operations.account("filestore-svc", "off") is None
    assert operations.account("filestore-svc", "\0") is None
