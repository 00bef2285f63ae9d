"""The counts of connections that the processes of one server share."""

from gateway.serving.scoreboard import Scoreboard


def test_a_process_with_two_connections_more_yields_to_another():
    """A process with one connection more than another accepts the next one all the same."""
    scoreboard = Scoreboard()
    mine, other = scoreboard.slot(1), scoreboard.slot(2)
    mine.publish(5)
    assert not mine.others_have_fewer(5)
    other.publish(4)
    assert not mine.others_have_fewer(5)
    other.publish(3)
    assert mine.others_have_fewer(5)
    assert not other.others_have_fewer(3)


def test_a_released_slot_counts_for_nothing():
    """A released slot counts no connections, also when its number is used again."""
    scoreboard = Scoreboard()
    mine, other = scoreboard.slot(7), scoreboard.slot(8)
    mine.publish(9)
    other.publish(0)
    assert mine.others_have_fewer(9)
    other.release()
    assert not mine.others_have_fewer(9)
    other.publish(0)
    assert not mine.others_have_fewer(9)
    scoreboard.slot(8 + 256).publish(1)
    assert mine.others_have_fewer(9)
