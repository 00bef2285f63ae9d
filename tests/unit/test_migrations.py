"""The revisions of each service's tables are one chain, whose end is the one that the service asks for."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(ROOT.glob("*/src/*/migrations"))


def value(path, name):
    """Return the text that a module assigns to a name, None for None."""
    found = re.search(rf'^{name}(?:: [^=]+)? = (?:"([^"]*)"|None)$', path.read_text(), re.MULTILINE)
    assert found, f"{path} has no {name}"
    return found[1]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_the_newest_revision_is_the_one_that_the_service_asks_for(folder):
    """A file whose number is taken, or a HEAD that was not moved on, leaves tables out."""
    files = sorted((folder / "versions").glob("[0-9]*.py"))
    revisions = [value(path, "revision") for path in files]
    assert revisions == [path.name[:4] for path in files]
    assert [value(path, "down_revision") for path in files] == [None, *revisions[:-1]]
    assert value(folder / "__init__.py", "HEAD") == revisions[-1]


def test_every_service_with_tables_is_looked_at():
    """The folders are found by their names."""
    assert len(FOLDERS) >= 4
