"""Documents and arguments that are to cost time, memory or a useless ID: what is refused, and at which bound."""

import tracemalloc

from sertainty_svc.wire import decode


def test_6_white_space_between_all_digits_takes_no_more_memory_than_the_content():
    """Items 6 and 12: lines of one digit are read as long ones are, in a request that needs no session."""
    content = "QUJD" * 100_000
    spaced = " ".join(content)
    tracemalloc.start()
    try:
        assert decode(spaced, "argument 1") == b"ABC" * 100_000
        assert tracemalloc.get_traced_memory()[1] < 3 * len(spaced)
    finally:
        tracemalloc.stop()
