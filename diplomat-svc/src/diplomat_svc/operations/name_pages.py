"""Hand the names of unfinished copies from the worker to a child, in pages: a message has a limit, a list has none."""

import itertools
from collections.abc import Sequence
from typing import Final

from mft_common.process.runner import Channel

TEMPORARIES: Final = "temporaries"
# A character has six bytes in a message at most, whose limit is 4 MiB.
_MOST_CHARACTERS: Final = 512 << 10


def page_of(names: Sequence[str], start: int) -> list[str]:
    """Return the names from the place `start` on that one message holds, [] behind the last."""
    page, characters = list[str](), 0
    for name in itertools.islice(names, start, None):
        characters += len(name) + 1
        if page and characters > _MOST_CHARACTERS:
            break
        page.append(name)
    return page


def ask_all(channel: Channel) -> tuple[str, ...]:
    """Return all names that the worker has."""
    names: list[str] = []
    while page := channel.ask(TEMPORARIES, {"start": len(names)}):
        names += page
    return tuple(names)
