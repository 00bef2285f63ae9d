import pytest

from gateway.domain import Bucket, throttle_keys

BUCKET = Bucket()
NOW = 1_700_000_000_000


def fail(clear_at, now):
    """Count as the store does."""
    return max(clear_at, now) + BUCKET.refill


def test_twenty_are_answered_truthfully():
    """Twenty failures in one moment are answered truthfully, and the next after fifteen seconds."""
    clear_at = 0
    for _ in range(20):
        assert BUCKET.wait(clear_at, NOW) == 0
        clear_at = fail(clear_at, NOW)
    assert BUCKET.wait(clear_at, NOW) == 15


@pytest.mark.parametrize(("later", "wait"), [(0, 15), (1, 15), (1000, 14), (14_000, 1), (14_999, 1), (15_000, 0)])
def test_wait_counts_whole_seconds_up(later, wait):
    """A client that waits as long as it is told need not wait again."""
    assert BUCKET.wait(NOW + 20 * 15_000, NOW + later) == wait


def test_count_sinks_by_itself():
    """Five minutes after twenty failures the count is zero."""
    clear_at = NOW + 20 * 15_000
    for _ in range(20):
        assert BUCKET.wait(clear_at, NOW + 300_000) == 0
        clear_at = fail(clear_at, NOW + 300_000)
    assert BUCKET.wait(clear_at, NOW + 300_000) == 15


def test_truthful_answers_in_five_minutes():
    """In any five minutes at least 20 and at most 100 failures are answered truthfully (http-mft.md S33)."""
    clear_at, told = 0, 0
    for now in range(NOW, NOW + 300_000, 100):
        if BUCKET.wait(clear_at, now) == 0:
            clear_at, told = fail(clear_at, now), told + 1
    assert 20 <= told <= 100


def test_keys_part_accounts_and_addresses():
    """An address has one count for all accounts, and each account one of its own there; no key shows a name."""
    first, second = throttle_keys("part1", "192.0.2.1"), throttle_keys("reader1", "192.0.2.1")
    assert first[0] == second[0]
    assert first[1] != second[1]
    assert throttle_keys("part1", "192.0.2.2")[0] != first[0]
    assert not any("part1" in key or "192" in key for key in first)


def test_keys_of_one_address_in_two_spellings():
    """An IPv4 caller has one count, also where the socket speaks IPv6."""
    assert throttle_keys("a", "::ffff:192.0.2.1") == throttle_keys("a", "192.0.2.1")


def test_keys_of_one_ipv6_client():
    """A client that guesses from one address of its /64 after the other has one count."""
    assert throttle_keys("a", "2001:db8::1") == throttle_keys("a", "2001:db8::ffff:2")
    assert throttle_keys("a", "2001:db8::1") != throttle_keys("a", "2001:db8:0:1::1")


@pytest.mark.parametrize(("name", "address"), [("", ""), ("\ud800", "\ud800"), ("\0", "unix:\0"), ("n" * 9999, "x")])
def test_keys_of_anything(name, address):
    """Any name and any address can be counted."""
    assert all(len(key) == 66 for key in throttle_keys(name, address))
