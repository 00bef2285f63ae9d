"""Monitors and schedules begin no transfers for an account that is gone, or has lost the role (15, 235, 238)."""

import contextlib
import threading

import pytest

from mft_common.clock import now_ms, parse_iso
from mft_common.directory import Account
from mft_common.errors import Unavailable
from mqmft_svc.operations.creators import Creators
from mqmft_svc.settings import Settings
from tests.servers.clock import Clock
from tests.servers.monitor_bodies import body, config
from tests.servers.monitored import TOKEN, create, sources, transfers
from tests.servers.processes import wait_until
from tests.servers.stopwatch import Stopwatch
from tests.service.mqmft_svc.mqmft_hub import caller

DAY = 86_400_000
READER = Account(name="clerk", grant={"roles": ["MFTWebAdminRO"]})
WITHOUT = Account(name="clerk", grant=None)
USER = Account(name="clerk", grant={"roles": ["MQWebUser"]})
AWAY = Unavailable("the gateway does not answer")
DAILY = {"startTime": "2026-06-01T06:00", "occurrenceInterval": "days"}


@pytest.fixture
def clock():
    """The clock of the hub."""
    return Clock(parse_iso("2026-05-31T20:00:00Z"))


@pytest.fixture
def make(tmp_path, open_hub, runner, clock):
    """Return a function that builds the service with a monitor's folder."""
    (tmp_path / "quay/in").mkdir(parents=True)
    return lambda **environ: open_hub(config(), runner=runner, now=clock, **environ)


@pytest.fixture
def hub(make):
    """A hub that has a monitor's folder."""
    return make()


def ends(hub):
    """Return the state of each transfer, the oldest first."""
    return [one["status"]["state"] for one in transfers(hub)]


@pytest.mark.parametrize("account", [None, READER, WITHOUT])
def test_238_a_monitor_begins_nothing_for_an_account_without_the_right(hub, open_polls, tmp_path, clock, account):
    """Item 238: the record says why; a file that comes after the account is back is moved again."""
    create(hub, body(), identity=caller("clerk"))
    hub.directory.changed["clerk"] = account
    (tmp_path / "quay/in/a").write_bytes(b"a")
    polls = open_polls(hub)
    polls.poll(times=3)
    (found,) = transfers(hub)
    assert found["status"]["state"] == "notAuthorized"
    assert "The user clerk, for whom it was to begin, has no" in found["status"]["description"]
    assert (found["originator"]["userId"], found["job"]["name"]) == ("clerk", "WATCH")
    assert not hub.service.dispatcher()._work.is_waiting()
    hub.directory.changed["clerk"] = USER
    clock.at += 1000
    (tmp_path / "quay/in/b").write_bytes(b"b")
    polls.poll(times=3)
    assert ends(hub) == ["notAuthorized", "started"]


def test_238_files_wait_while_nobody_knows_the_account(hub, open_polls, tmp_path):
    """Item 238: a gateway that is away costs no file, and holds up no other monitor."""
    create(hub, body(), identity=caller("clerk"))
    create(hub, body("other"), identity=caller("boss"))
    hub.directory.changed["clerk"] = AWAY
    (tmp_path / "quay/in/a").write_bytes(b"a")
    polls = open_polls(hub)
    polls.poll(times=3)
    assert [one["job"]["name"] for one in transfers(hub)] == ["OTHER"]
    del hub.directory.changed["clerk"]
    polls.poll(times=3)
    assert sources(hub) == [["in/a"]] * 2


def schedule(hub):
    """Ask for a daily transfer as the account `clerk`."""
    item = {"source": {"name": "a"}, "destination": {"name": "b"}}
    given = {**body()["transferDefinition"], "transferSet": {"item": [item]}, "scheduleTransfer": DAILY}
    assert hub.mft(method="POST", json=given, headers=TOKEN, identity=caller("clerk")).status_code == 202


@pytest.mark.parametrize("account", [None, READER, WITHOUT])
def test_235_a_schedule_begins_nothing_for_an_account_without_the_right(hub, clock, account):
    """Item 235: neither the transfer that waits nor a later one; the schedule goes on once the account is back."""
    schedule(hub)
    timers = hub.service.operations.scheduling.timers()
    hub.directory.changed["clerk"] = account
    for _ in range(2):
        clock.at += DAY
        assert timers.step() == 1
    assert ends(hub) == ["notAuthorized"] * 2
    for found in transfers(hub):
        assert "The user clerk, for whom it was to begin, has no" in found["status"]["description"]
    assert not hub.service.dispatcher()._work.is_waiting()
    hub.directory.changed["clerk"] = USER
    clock.at += DAY
    assert timers.step() == 1
    assert ends(hub) == ["notAuthorized", "notAuthorized", "started"]


def test_235_a_schedule_is_tried_again_while_nobody_knows_the_account(hub, clock):
    """Item 235: nothing is lost where the gateway is away, and nothing begins."""
    schedule(hub)
    timers = hub.service.operations.scheduling.timers()
    hub.directory.changed["clerk"] = AWAY
    clock.at += DAY
    assert timers.step() == 1
    assert not hub.service.dispatcher()._work.is_waiting()
    del hub.directory.changed["clerk"]
    clock.at += 2000
    assert timers.step() == 1
    assert hub.service.dispatcher()._work.is_waiting()


def test_24_the_user_of_a_hub_without_security_needs_no_account(make, open_polls, tmp_path):
    """Item 24: whatever its name, and as long as security is off."""
    hub = make(MQMFT_SECURITY="off", MQMFT_SECURITY_OFF_USER="bench")
    hub.directory.changed["bench"] = None
    create(hub, body())
    (tmp_path / "quay/in/a").write_bytes(b"a")
    open_polls(hub).poll(times=3)
    assert ends(hub) == ["started"]


def test_235_238_a_gateway_that_is_silent_holds_up_a_transaction_for_a_moment(tmp_path):
    """Items 235 and 238: on SQLite every writer waits for it, and a worker's lease lapsed; late answers are used."""
    answers, limit = threading.Event(), 8.0

    class Silent:
        def account(self, _service, name):
            answers.wait(limit)
            return {"boss": USER, "clerk": READER}.get(name)

    creators = Creators(Silent(), Settings.from_env({"MQMFT_DATABASE_URL": f"sqlite:///{tmp_path}/mqmft.db"}), now_ms)
    since = Stopwatch()
    for user in ("boss", "clerk", "gone", "boss", "clerk"):
        with pytest.raises(Unavailable):
            creators.refusal(user)
    assert since.seconds < limit / 2
    answers.set()

    def said(user):
        with contextlib.suppress(Unavailable):
            return [creators.refusal(user)]
        return None

    found = {user: wait_until(lambda one=user: said(one)) for user in ("boss", "clerk", "gone")}
    assert found["boss"] == [""]
    assert ["has none of the roles" in found["clerk"][0], "has no account" in found["gone"][0]] == [True, True]
