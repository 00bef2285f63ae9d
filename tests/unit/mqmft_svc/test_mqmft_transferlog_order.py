"""Messages of a transfer that come twice, late and in any order end in one record (197, 4.B)."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mqmft_svc.domain.states import RANKS
from mqmft_svc.domain.transfers import new_transfer
from mqmft_svc.schemas.transferlog import read_message
from tests.unit.mqmft_svc.transferlog_messages import completed, item, progress, started, status

CODES = st.sampled_from([0, 0, 1, 2])


@st.composite
def stories(draw):
    """The messages of one transfer as its agents send them; some have the time of their neighbours."""
    total = draw(st.integers(1, 5))
    times = iter(sorted(draw(st.lists(st.integers(10, 40), min_size=13, max_size=13))))
    bodies = [started(next(times), total=total)] if draw(st.booleans()) else []
    done = 0
    while done < total and draw(st.booleans()):
        if draw(st.booleans()):
            bodies.append(status(next(times), done, draw(st.integers(0, 99)), total=total))
        items = [item(done + n, code=draw(CODES)) for n in range(draw(st.integers(1, total - done)))]
        sent = draw(st.integers(0, 500))
        bodies.append(progress(next(times), items, index=done, total=total, sent=sent))
        done += len(items)
    if draw(st.booleans()) or not bodies:
        failures = draw(st.integers(0, total))
        codes = st.sampled_from([0, 20, 40, 41])
        bodies.append(completed(next(times), code=draw(codes), failures=failures, total=total))
    return bodies


def record(bodies):
    """Apply messages as the recorder does; return the record, its items and the ranks of its states on the way."""
    changes = [read_message(body, "mq") for body in bodies]
    transfer, items, ranks = new_transfer(changes[0], "QM1"), {}, []
    for change in changes:
        transfer.apply(change)
        ranks.append(RANKS[transfer.state])
        for one in change.items:
            items[one.position] = items[one.position].merged(one) if one.position in items else one
    shown = {name: getattr(transfer, name) for name in transfer.__slots__}
    return shown, {place: one.leaves for place, one in sorted(items.items())}, ranks


@settings(max_examples=300)
@given(stories(), st.data())
def test_197_any_order_and_repetition_of_any_prefix_gives_the_same_record(story, data):
    """Items 197, 209 and 210: the record is that of the right order, and its state never moves back."""
    prefix = story[: data.draw(st.integers(1, len(story)))]
    repeated = prefix + data.draw(st.lists(st.sampled_from(prefix), max_size=4))
    shown, items, ranks = record(data.draw(st.permutations(repeated)))
    expected, expected_items, _ = record(prefix)
    assert (shown, items) == (expected, expected_items)
    assert ranks == sorted(ranks)


def test_209_the_end_outranks_every_other_message_of_its_millisecond_and_of_later_ones():
    """Item 209: also what decides the order of later messages is the same, whichever came first."""
    end, late = completed(20, total=1), [progress(time, [item(0)], total=1, sent=7) for time in range(20, 40)]
    assert record([end, *late])[:2] == record([*late, end])[:2]
