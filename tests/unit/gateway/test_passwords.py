import threading

import argon2
import pytest

from gateway.errors import Busy
from gateway.operations.passwords import Passwords


def test_owasp_parameters():
    """A hash is argon2id with 19 MiB, two passes and one lane."""
    parameters = argon2.extract_parameters(Passwords().hash("secret"))
    assert parameters.type is argon2.Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19 * 1024, 2, 1)


def test_matches():
    """A hash matches its own text and no other."""
    passwords = Passwords(memory_kib=64)
    hashed = passwords.hash("sécret")
    assert passwords.matches(hashed, "sécret")
    assert not passwords.matches(hashed, "secret")
    assert not passwords.matches("no hash", "sécret")


@pytest.mark.parametrize("text", ["", "x", "\ud800", "x" * 100_000])
def test_nobody_has_no_password(text):
    """A text that is compared with no hash never matches."""
    assert not Passwords(memory_kib=64).matches(None, text)


def test_outdated():
    """A hash of other parameters is known as such."""
    assert Passwords().outdated(Passwords(memory_kib=64).hash("secret"))
    assert not Passwords().outdated(Passwords().hash("secret"))


def test_turns_are_bounded():
    """With all slots taken, the next waits for its time and is told that the hub is busy."""
    passwords = Passwords(1, wait=0.01, memory_kib=64)
    busy = []

    def late():
        try:
            with passwords.slot():
                pass
        except Busy as error:
            busy.append(error)

    with passwords.slot():
        thread = threading.Thread(target=late)
        thread.start()
        thread.join()
    assert len(busy) == 1
    with passwords.slot():
        pass
