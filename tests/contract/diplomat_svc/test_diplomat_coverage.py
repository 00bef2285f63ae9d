"""Each item, reading and rule that the tick list of diplomat-svc ticks has a test that carries its number."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/protocols/diplomat.md"
TESTS = ROOT / "tests"
LAST = {"": 80, "A": 60, "E": 47}
# Items and readings are this service's; the rules of the engine are kept by the shared parts too.
PLACES = {"": ("diplomat",), "A": ("diplomat",), "E": ("diplomat", "mft_common", "endpoints", "contract", "unit")}
# Ticked, and without a test of its own, with the reason.
UNTESTED: dict[str, str] = {}
_NAME = re.compile(r"_([aeb]?\d+)(?=(?:_[aeb]?\d+)*$)")
_RANGE = re.compile(r"([AE]?)(\d+)(?:-[AE]?(\d+))?")
_WORD = re.compile(r"\b([AE]\d{1,2})\b")
_ITEMS = re.compile(r"\(((?:[AE]?\d{1,2}(?:, | and | to |-)?)+)\)")


def numbers_of(node):
    """Return the numbers in the end of a test's name and in its docstring."""
    text = ast.get_docstring(node) or ""
    found = {number.upper() for number in _NAME.findall(node.name)}
    found |= set(_WORD.findall(text))
    for group in _ITEMS.findall(text):
        found |= set(re.findall(r"[AE]?\d+", group))
    return found


def carried():
    """Return the tests of each number."""
    found = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        place = str(path.relative_to(TESTS))
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for number in numbers_of(node):
                    kind = number[0] if number[0] in "AE" else ""
                    if kind in PLACES and any(part in place for part in PLACES[kind]):
                        found[number].append(node.name)
    return found


def rows():
    """Return the numbers and the state of each row of the tick list."""
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and _RANGE.match(cells[0]):
            yield cells[0], cells[-1]


def expanded(cell):
    """Return the numbers of a cell such as `E1-E5, E7`."""
    for kind, first, last in _RANGE.findall(cell):
        for number in range(int(first), int(last or first) + 1):
            yield f"{kind}{number}"


def states():
    """Return the states of each number, in the rows that name it."""
    found = defaultdict(list)
    for cell, state in rows():
        for number in expanded(cell):
            found[number].append(state)
    return found


def ticked(state):
    """Return whether a row says that all of it is done."""
    return re.search(r"(^|\s)x\b", state) is not None and not partly(state)


def partly(state):
    """Return whether a row says that some of it is done, and some is not."""
    return re.search(r"(^|\s)x\b", state) is not None and re.search(r"\s-(\s|;|$)", state) is not None


CARRIED, STATES = carried(), states()


@pytest.mark.parametrize("kind", LAST)
def test_every_number_is_in_the_tick_list(kind):
    """No item, reading or rule is left out of the page."""
    wanted = {f"{kind}{number}" for number in range(1, LAST[kind] + 1)}
    assert wanted - set(STATES) == set()


@pytest.mark.parametrize("kind", LAST)
def test_what_is_ticked_has_a_test_that_carries_its_number(kind):
    """An `x` without a test fails, unless the list above says why there is none."""
    done = {number for number, all_states in STATES.items() if any(map(ticked, all_states))}
    mine = {number for number in done if (number[0] if number[0] in "AE" else "") == kind}
    assert sorted(mine - set(CARRIED) - set(UNTESTED), key=lambda number: int(number.lstrip("AE"))) == []


def test_what_is_ticked_in_part_has_a_test():
    """Of a row that is done in part at least one number is carried by a test."""
    for cell, state in rows():
        if partly(state):
            assert set(expanded(cell)) & set(CARRIED), cell


def test_no_exception_is_out_of_date():
    """A number with a test needs no reason for having none."""
    assert set(UNTESTED) & set(CARRIED) == set()


def test_numbers_are_found_in_names_and_sentences():
    """The end of a name counts, and so do numbers in brackets and those with a letter; other figures do not."""
    source = 'def test_an_answer_of_200_in_utf_8_is_read_41_a7():\n    """Within 10 s, once (E3, 45), as A9 says."""'
    assert numbers_of(ast.parse(source).body[0]) == {"41", "A7", "E3", "45", "A9"}
