import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from mqmft_svc.domain.callers import Caller
from mqmft_svc.domain.descriptions import final_description, item_description
from mqmft_svc.domain.states import RANKS
from mqmft_svc.domain.transfers import FINAL_SEQUENCE, TEXTS, Change, Head, Item, new_transfer

COUNTERS = {"files": 3, "successes": 0, "failures": 0, "warnings": 0, "bytes_sent": 0, "retries": 0}
RUNNING = [state for state, rank in RANKS.items() if 0 < rank < 4]
FINAL = [state for state, rank in RANKS.items() if rank == 4]


def head(rank, **texts):
    """Return a head with a property of its own and one that both kinds of head have."""
    values = dict.fromkeys(TEXTS, "") | {"source_agent": "CLIENT", "account": "part1"} | texts
    return Head(
        rank=rank, submitted_at=1000, texts=values, user_properties={f"from.{rank}": str(rank), "both": str(rank)}
    )


def change(sequence, state, **more):
    """Return a change of one transfer, a millisecond later for each sequence number."""
    values = {"id": "A1", "protocol": "diplomat", "time": 1000 + sequence, "description": "", "counters": COUNTERS}
    return Change(**{**values, "sequence": sequence, "state": state, **more})


leaves = st.dictionaries(st.sampled_from(["state", "source.size", "source.path", "destination.md5"]), st.integers(0, 3))


@st.composite
def stories(draw):
    """One transfer's events as its producer sends them: started, any progress, and perhaps the end."""
    events = [change(1, "started", head=head(1, job_name="night"))]
    for number in range(draw(st.integers(0, 4))):
        sequence = number + 2
        items = [
            Item(position=place, sequence=sequence, leaves=draw(leaves)) for place in draw(st.sets(st.integers(0, 2)))
        ]
        counters = COUNTERS | {"bytes_sent": draw(st.integers(0, 99)), "successes": draw(st.integers(0, 3))}
        events.append(
            change(
                sequence,
                draw(st.sampled_from(["started", *RUNNING])),
                counters=counters,
                items=tuple(items),
                description=draw(st.sampled_from(["", "waits for its slot"])),
                began_at=draw(st.sampled_from([None, 1001])),
            )
        )
    if draw(st.booleans()):
        items = (Item(position=0, sequence=FINAL_SEQUENCE, leaves=draw(leaves)),)
        more = {"head": head(2, mqmd_user="mq"), "ended_at": 1090, "began_at": 1001, "items": items}
        events.append(change(len(events) + 1, draw(st.sampled_from(FINAL)), **more))
    return events


def record(events):
    """Apply changes as operations do, and return the resulting record."""
    transfer, items = new_transfer(events[0], "QM1"), {}
    for event in events:
        transfer.apply(event)
        for item in event.items:
            items[item.position] = items[item.position].merged(item) if item.position in items else item
    shown = {name: getattr(transfer, name) for name in transfer.__slots__}
    return shown, {place: item.leaves for place, item in sorted(items.items())}


@settings(max_examples=150)
@given(stories(), st.data())
def test_214_any_order_and_repetition_of_any_prefix_gives_the_same_record(story, data):
    """Item 214: events that come twice, late and in any order end in the record of the right order."""
    prefix = story[: data.draw(st.integers(1, len(story)))]
    repeated = prefix + data.draw(st.lists(st.sampled_from(prefix), max_size=4))
    assert record(data.draw(st.permutations(repeated))) == record(prefix)


def test_209_states_only_move_up_and_the_first_final_one_stays():
    """Item 209: no later event takes a state back, and a second end changes nothing at all."""
    for low, high in itertools.combinations(RANKS, 2):
        if RANKS[low] == RANKS[high]:
            continue
        ends = {"ended_at": 9} if RANKS[high] == 4 else {}
        shown, _ = record([change(1, high, **ends), change(2, low)])
        assert shown["state"] == high
    shown, _ = record([change(1, "failed", ended_at=5, description="one"), change(2, "successful", ended_at=7)])
    assert (shown["state"], shown["ended_at"], shown["updated_at"]) == ("failed", 5, 1001)


def test_210_ended_alone_makes_a_complete_record_and_started_fills_what_is_missing():
    """Item 210: the late started adds the job's name and changes no state."""
    end = change(2, "successful", ended_at=1050, head=head(2))
    alone, _ = record([end])
    assert (alone["state"], alone["started_at"], alone["account"]) == ("successful", 1000, "part1")
    both, _ = record([end, change(1, "started", head=head(1, job_name="night"))])
    assert (both["state"], both["job_name"]) == ("successful", "night")
    assert both["user_properties"] == {"from.1": "1", "from.2": "2", "both": "2"}


def test_211_the_place_is_corrected_when_the_start_becomes_known():
    """Item 211: a progress message first places the transfer by its own time, then started moves it."""
    first, _ = record([change(7, "inProgress")])
    assert first["started_at"] == 1007
    both, _ = record([change(7, "inProgress"), change(1, "started", head=head(1))])
    assert both["started_at"] == 1000


def test_212_totals_are_set_and_never_added_up():
    """Item 212: a repeated event leaves the counters as they are."""
    moved = change(2, "inProgress", counters=COUNTERS | {"bytes_sent": 7})
    shown, _ = record([moved, moved, moved])
    assert shown["bytes_sent"] == 7


def test_97_final_descriptions_begin_with_the_id_of_what_arrived():
    """Item 97: the id follows the outcome, the producer's reason or a sentence of ours comes after the colon."""
    some = COUNTERS | {"successes": 1, "failures": 2}
    cases = [
        ("successful", COUNTERS | {"successes": 3}, "BFGRP0032I"),
        ("successful", COUNTERS | {"files": 0}, "BFGRP0036I"),
        ("partiallySuccessful", some, "BFGRP0033I"),
        ("failed", COUNTERS | {"failures": 3}, "BFGRP0034I"),
        ("failed", COUNTERS, "BFGRP0037I"),
        ("cancelled", some, "BFGRP0033I"),
        ("deleted", COUNTERS, "BFGRP0037I"),
    ]
    for state, counters, id_ in cases:
        assert final_description(state, counters, "the line broke") == f"{id_}: the line broke"
        assert final_description(state, counters, "").startswith(f"{id_}: ")
    assert final_description("failed", COUNTERS, "BFGRP0034I: mine") == "BFGRP0034I: mine"


def test_97_failed_items_are_described_with_an_id():
    """Item 97: a failed item without an id of its producer's gets the general one, others keep their words."""
    assert item_description("failed", "disk full") == "BFGTR0072E: disk full"
    assert item_description("failed", "") == "BFGTR0072E: The item was not transferred."
    assert item_description("failed", "BFGIO0001E: gone") == "BFGIO0001E: gone"
    assert item_description("successful", "") == ""


def test_16_topics_are_granted_in_both_spellings_and_below_the_root():
    """Item 16: one spelling more or a trailing wildcard makes no difference, another resource's topic does."""

    def may(topic, resource="transfer"):
        return Caller(user="u", roles=(), topics=(topic,)).may_subscribe(resource)

    for topic in (
        "SYSTEM.FTE/Transfer",
        "SYSTEM.FTE/Transfers",
        "SYSTEM.FTE/Transfers/#",
        "SYSTEM.FTE",
        "SYSTEM.FTE/#",
    ):
        assert may(topic)
        assert may(topic, "call")
    assert not may("SYSTEM.FTE/Agents")
    assert not may("system.fte/Transfer")
    assert may("SYSTEM.FTE/Agents", "agent")
    assert may("SYSTEM.FTE/Monitor", "monitor")
