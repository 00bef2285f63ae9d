"""Processes of one server that know how many clients each of them has."""

from gateway.serving.crowd import Crowd


def test_a_process_with_two_clients_more_lets_another_go_first():
    """One more is no reason to wait: somebody has to have it."""
    crowd = Crowd()
    mine, other = crowd.seat(1), crowd.seat(2)
    mine.tell(5)
    assert not mine.others_have_fewer(5)
    other.tell(4)
    assert not mine.others_have_fewer(5)
    other.tell(3)
    assert mine.others_have_fewer(5)
    assert not other.others_have_fewer(3)


def test_nobody_waits_for_a_process_that_has_left():
    """A seat that is empty is nobody's, also when its number comes again."""
    crowd = Crowd()
    mine, other = crowd.seat(7), crowd.seat(8)
    mine.tell(9)
    other.tell(0)
    assert mine.others_have_fewer(9)
    other.leave()
    assert not mine.others_have_fewer(9)
    other.tell(0)
    assert not mine.others_have_fewer(9)
    crowd.seat(8 + 256).tell(1)
    assert mine.others_have_fewer(9)
