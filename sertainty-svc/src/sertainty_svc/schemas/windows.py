"""Read the leaves of a window: days of the week, a span of the day, a range of dates, and the zone of all (10.5)."""

from typing import Final

from mft_common.schedules import time_zone
from sertainty_svc.domain.windows import DAYS, Edge, Window
from sertainty_svc.errors import InvalidRequest
from sertainty_svc.schemas.leaves import Leaves

ANY: Final = -1
UTC: Final = "UTC"
# The last part of each number's leaf, behind Start or End, and the values that it may have.
_NUMBERS: Final = {"Hour": (0, 23), "Minute": (0, 59), "Day": (1, 31), "Month": (1, 12), "Year": (1970, 8999)}
WINDOW_LEAVES: Final = frozenset(
    (
        *("Enabled", "TimeZone"),
        *(f"Day{day}" for day in DAYS),
        *(f"{end}{number}" for end in ("Start", "End") for number in _NUMBERS),
    )
)


def read_window(leaves: Leaves) -> Window:
    """Return the window; InvalidRequest for a leaf of a wrong form, and for leaves that never open together.

    Each leaf may be missing. The combination counts only where the window is switched on.
    """
    window = Window(
        enabled=leaves.boolean("Enabled", default=True),
        days=tuple(day for day in DAYS if leaves.boolean(f"Day{day}", default=True)),
        start=_edge(leaves, "Start"),
        end=_edge(leaves, "End"),
    )
    if problems := window.problems:
        raise InvalidRequest(f"{leaves.path}: {'; '.join(problems)}")
    return window


def read_zone(leaves: Leaves) -> str:
    """Return the IANA name of the time zone, UTC where none is given; InvalidRequest for one that is unknown."""
    name = leaves.text("TimeZone").strip() or UTC
    try:
        return time_zone(name).key
    except ValueError as error:
        raise leaves.problem("TimeZone", "no time zone") from error


def _edge(leaves: Leaves, end: str) -> Edge:
    values = {}
    for number, (low, high) in _NUMBERS.items():
        found = leaves.whole(f"{end}{number}", ANY, high, ANY)
        if ANY < found < low:
            raise leaves.problem(f"{end}{number}", f"no whole number from {low} to {high}")
        values[number.lower()] = None if found == ANY else found
    return Edge(**values)
