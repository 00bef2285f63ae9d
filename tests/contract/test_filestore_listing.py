"""Pages of a folder, on both databases, beside a plain sort of everything in it."""

import itertools
import random

import pytest
import sqlalchemy as sa

from filestore_svc.domain.files import Folder
from filestore_svc.domain.listing import KINDS, SORTS, Page, Selection
from filestore_svc.domain.wildcards import listing_filter
from filestore_svc.migrations import HEAD
from filestore_svc.store import listing, tables
from mft_common.database import Database

NOW = 5_000
HERE = Folder(1, "/here", None)
FILTERS = ("", "*", "a*", "*.txt", "*1*", "none", "A*")


@pytest.fixture
def database(database_url):
    made = Database(
        database_url,
        schema="filestore-svc",
        metadata=tables.metadata,
        migrations="filestore_svc.migrations",
        head=HEAD,
    )
    made.migrate()
    with made.write() as connection:
        connection.execute(sa.insert(tables.folders), [folder(1, None, "here"), folder(2, None, "there")])
    yield made
    made.close()


def folder(number, parent, name):
    path = f"/here/{name}" if parent else f"/{name}"
    return {"id": number, "parent_id": parent, "path": path, "name": name, "active": True, "made": False}


def file(number, name, **more):
    texts = dict.fromkeys(("sha256", "datatype", "owner", "dst_file_name", "correlation_id", "description"), "")
    times = dict.fromkeys(("created_at", "modified_at", "put_at", "first_read_at", "accessed_at", "expires_at"), 0)
    return {"fileset": number, "folder_id": 1, "name": name, "size": 0, **texts, **times, **more}


def filled(database, seed):
    """Fill the folder with names and keys of which many are the same; return its children as a model."""
    dice = random.Random(seed)
    subfolders = [folder(10 + number, 1, f"a{number:02d}") for number in range(dice.choice((0, 1, 7)))]
    names = [f"{dice.choice('aAbé')}{number:02d}{dice.choice(('', '.txt'))}" for number in range(40)]
    rows = [
        file(
            100 + number,
            name,
            size=dice.choice((0, 1, 2)),
            put_at=dice.choice((10, 20, 30 + number)),
            first_read_at=dice.choice((0, 0, 7, 8)),
            expires_at=dice.choice((0, 0, NOW - 1, NOW + 1, NOW + 2)),
        )
        for number, name in enumerate(names)
    ]
    with database.write() as connection:
        if subfolders:
            connection.execute(sa.insert(tables.folders), subfolders)
        connection.execute(sa.insert(tables.files), rows)
    living = [row for row in rows if not 0 < row["expires_at"] <= NOW]
    return [(each["name"], 0, each) for each in subfolders] + [(row["name"], row["fileset"], row) for row in living]


def matches(name, pattern):
    head, star, tail = pattern.partition("*")
    if pattern == "*1*":
        return "1" in name
    return not pattern or (name.startswith(head) and name.endswith(tail) if star else name == pattern)


def expected(children, sort, descending, kind, pattern):
    """Return all names in order: empty keys lowest, ties by name, then id (D12)."""
    column = {"size": "size", "put_date": "put_at", "read_date": "first_read_at", "expiry_date": "expires_at"}.get(sort)

    def key(child):
        if column is None:
            return child[0]
        value = child[2].get(column, -1)
        return -1 if value == 0 and sort in ("read_date", "expiry_date") else value

    wanted = [child for child in children if kind == "all" or (kind == "files") == bool(child[1])]
    wanted = sorted((child for child in wanted if matches(child[0], pattern)), key=lambda child: child[:2])
    return [name for name, _, _ in sorted(wanted, key=key, reverse=descending)]


@pytest.mark.parametrize("seed", range(4))
def test_every_page_is_what_a_plain_sort_gives(database, seed):
    """Each sort, direction, type and filter gives, page by page from any place, what sorting everything gives."""
    children = filled(database, seed)
    with database.read() as connection:
        for sort, descending, kind, pattern in itertools.product(SORTS, (True, False), KINDS, FILTERS):
            whole = expected(children, sort, descending, kind, pattern)
            selection = Selection(kind=kind, pattern=listing_filter(pattern))
            assert listing.count(connection, HERE, None, selection, NOW) == len(whole)
            for start, limit in ((0, 5), (0, 100), (3, 7), (17, 4), (len(whole) - 3, 2), (len(whole) - 1, 9)):
                asked = Page(selection=selection, sort=sort, descending=descending, start=max(start, 0), limit=limit)
                found = listing.listing(connection, HERE, None, asked, NOW)
                shown = [child.name for child in found.children]
                assert (found.total, shown) == (len(whole), whole[max(start, 0) :][:limit])


def test_counts_follow_every_change(database):
    """What is kept of a folder is what counting its rows gives, after inserts, deletes and what was rolled back."""
    dice = random.Random(1)
    there = set()
    selection = Selection(pattern=listing_filter("f*1"))
    for number in range(1, 60):
        gone = dice.choice(sorted(there)) if there and dice.random() < 0.4 else None
        with database.engine.connect() as connection, connection.begin() as transaction:
            connection.execute(sa.insert(tables.files), [file(number, f"f{number}")])
            connection.execute(sa.delete(tables.files).where(tables.files.c.fileset == gone))
            if dice.random() < 0.2:
                transaction.rollback()
            else:
                there = (there | {number}) - {gone}
        with database.read() as connection:
            assert listing.count(connection, HERE, None, Selection(), NOW) == len(there)
            ones = sum(str(each).endswith("1") for each in there)
            assert listing.count(connection, HERE, None, selection, NOW) == ones
