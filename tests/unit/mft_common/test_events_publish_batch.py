from mft_common.events.rabbit.publish_batch import Message, PublishBatch


def batch_of(*keys: str) -> PublishBatch:
    batch = PublishBatch(
        [Message(key=key, exchange="", routing_key="", body=b"", properties=None, mandatory=True) for key in keys]
    )
    for tag, key in enumerate(keys, 1):
        batch.sent(tag, key)
    return batch


def test_one_answer_may_confirm_many() -> None:
    """The broker may confirm all messages up to a delivery tag at once."""
    batch = batch_of("a", "b", "c")
    batch.answered(2, multiple=True, ok=True)
    batch.answered(3, multiple=False, ok=True)
    outcome = batch.wait(0)
    assert (outcome.confirmed, outcome.complete) == ({"a", "b", "c"}, True)


def test_a_returned_message_does_not_count_as_confirmed() -> None:
    """The broker returns a message without a queue, and confirms it as well."""
    batch = batch_of("a", "b")
    batch.returned("b")
    batch.answered(2, multiple=True, ok=True)
    outcome = batch.wait(0)
    assert (outcome.confirmed, outcome.refused, outcome.complete) == ({"a"}, {"b"}, True)


def test_a_refused_message_is_in_the_outcome() -> None:
    """A negative answer leaves its message to be published again."""
    batch = batch_of("a", "b")
    batch.answered(1, multiple=False, ok=False)
    batch.answered(2, multiple=False, ok=True)
    assert batch.wait(0).refused == {"a"}


def test_a_lost_connection_ends_the_wait_with_what_is_known() -> None:
    """Messages that were confirmed before the connection was lost count, and the outcome is not complete."""
    batch = batch_of("a", "b")
    batch.answered(1, multiple=False, ok=True)
    batch.give_up()
    outcome = batch.wait(60)
    assert (outcome.confirmed, outcome.complete) == ({"a"}, False)
