"""No point of the checklist is without a test that bears its number."""

import re
from pathlib import Path


def test_every_point_has_its_test():
    """Points 1 to 94, each in the name of at least one test."""
    names = [name for path in Path(__file__).parent.glob("test_items_*.py") for name in _tests(path)]
    assert {int(number) for name in names for number in re.findall(r"(?<=_)\d\d(?=_)", name)} == set(range(1, 95))


def _tests(path):
    return re.findall(r"def (test_item_[a-z0-9_]+)", path.read_text())
