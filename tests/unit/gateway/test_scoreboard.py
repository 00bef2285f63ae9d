"""Processes of one server that know how many connections each of them has."""

from gateway.serving.scoreboard import Scoreboard


def test_a_process_with_two_clients_more_lets_another_go_first():
    """One more is no reason to wait: somebody has to have it."""
    scoreboard = Scoreboard()
    mine, other = scoreboard.slot(1), scoreboard.slot(2)
    mine.publish(5)
    assert not mine.others_have_fewer(5)
    other.publish(4)
    assert not mine.others_have_fewer(5)
    other.publish(3)
    assert mine.others_have_fewer(5)
    assert not other.others_have_fewer(3)


def test_nobody_waits_for_a_process_that_has_left():
    """A slot that was released belongs to nobody's, also when its number comes again."""
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
