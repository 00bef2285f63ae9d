"""The one builder of `transfer.*` events."""

import dataclasses

import pytest

from mft_common.events import (
    Agent,
    EventError,
    Item,
    JobChanged,
    Originator,
    Side,
    TaskChanged,
    Totals,
    TransferEnded,
    TransferProgressed,
)
from mft_common.events.transfer_builder import TransferEvents, state_in_progress, totals_of_one

HUB = Agent(name="HUB")
TRANSFER = TransferEvents(
    transfer_id="41" * 24, protocol="diplomat", source_agent=HUB, destination_agent=HUB,
    originator=Originator(account="a", host="h"), submitted_at=5000, began_at=6000, job_name="j",
    user_properties={"crossdock.job": "1"},
)  # fmt: skip


def items(count):
    return [
        Item(index=index, state="successful", source=Side(path=f"/{index}"), destination=Side())
        for index in range(count)
    ]


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 2500])
def test_each_item_is_in_one_event_of_at_most_a_thousand_before_the_end(count):
    """The end is last, so that a consumer which has it has all items."""
    events = TRANSFER.ended("successful", Totals(files=count), items(count), 7000)
    assert [type(event) for event in events[:-1]] == [TransferProgressed] * (max(count - 1, 0) // 1000)
    assert isinstance(events[-1], TransferEnded)
    for event in events:
        event.to_json()
    assert sorted(item.index for event in events for item in event.items) == list(range(count))


def test_an_event_of_long_names_is_no_larger_than_a_broker_takes():
    """RabbitMQ refuses a message of more than 16 MiB, and all that come behind it wait."""
    long = Side(path="\U0001f600" * 4096)
    given = [Item(index=index, state="successful", source=long, destination=long) for index in range(1000)]
    events = TRANSFER.ended("successful", Totals(files=1000), given, 7000)
    assert max(len(event.to_json().encode()) for event in events) < 8 << 20
    assert sorted(item.index for event in events for item in event.items) == list(range(1000))


def test_the_end_repeats_the_head():
    """It makes a whole record when it comes first, and is enough to report the transfer again."""
    (end,) = TRANSFER.ended("failed", Totals(files=1, failures=1), items(1), 7000, "disk full")
    assert TransferEvents.of(end) == TRANSFER
    assert TransferEvents.of(TRANSFER.started(Totals())) == TRANSFER
    assert (end.state, end.description, end.ended_at) == ("failed", "disk full", 7000)


def test_the_transfer_whose_file_started_this_one_is_in_its_head():
    """The first and the last event name it, so that a file can be followed through several protocols."""
    caused = dataclasses.replace(TRANSFER, caused_by="42" * 24)
    started, (end,) = caused.started(Totals()), caused.ended("successful", Totals(), (), 7000)
    for event in (started, end):
        assert event.to_data()["caused_by"] == "42" * 24
        assert TransferEvents.of(type(event).from_data(event.to_data())) == caused
    assert "caused_by" not in TRANSFER.started(Totals()).to_data()
    with pytest.raises(EventError, match="caused_by"):
        dataclasses.replace(TRANSFER, caused_by="x").started(Totals()).to_json()


def test_jobs_and_tasks_name_the_transfer_whose_file_started_them():
    """The member is absent where no file did, so that older events stay as they were."""
    job = JobChanged(
        transaction_id="1", transaction_name="n", sequence=1, status="Queued", scheduled_time=5, account="system",
        caused_by="42" * 24,
    )  # fmt: skip
    task = TaskChanged(
        configuration="c", task="t", change="started", status="s", exec_count=1, error_count=0, caused_by="42" * 24
    )
    for event in (job, task):
        assert event.to_data()["caused_by"] == "42" * 24
        assert type(event).from_data(event.to_data()) == event
        assert "caused_by" not in dataclasses.replace(event, caused_by=None).to_data()


def test_a_transfer_ends_no_earlier_than_it_was_accepted():
    """The clock may have been set back in between."""
    assert TRANSFER.ended("successful", Totals(), (), 1)[-1].ended_at == 5000


def test_progress_without_items_is_one_event_of_its_totals():
    """Bytes move while no file changes its state; such an event has no member `items`."""
    (event,) = TRANSFER.progressed(Totals(files=1, bytes_sent=10))
    assert "items" not in event.to_data()
    assert [len(one.items) for one in TRANSFER.progressed(Totals(files=1), items(1001))] == [1000, 1]


def test_the_state_of_progress_is_that_of_its_totals():
    """A failure counts more than a warning."""
    assert state_in_progress(Totals(files=3)) == "inProgress"
    assert state_in_progress(Totals(files=3, warnings=1)) == "inProgressWithWarnings"
    assert state_in_progress(Totals(files=3, warnings=1, failures=1)) == "inProgressWithFailures"


def test_the_totals_of_one_file():
    """It succeeded or failed, and its bytes count either way."""
    assert totals_of_one(failed=False, bytes_sent=3) == Totals(files=1, successes=1, bytes_sent=3)
    assert totals_of_one(failed=True, bytes_sent=2) == Totals(files=1, failures=1, bytes_sent=2)
