"""Pages of a folder on both databases equal those of a plain sort of all its children."""

import itertools
import random
import re

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
FILTERS = ("", "*", "a*", "*.txt", "*1*", "none", "A*", "_.txt", "a0*.txt", "é*", "b*1*t")
# Where ranges of names and of their endings begin and end: characters beside what is none, the last one, and its like.
EDGES = ("\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff", "\U0010ffff\U0010ffff", "~", "\x7f", "é", "a")


@pytest.fixture
def database(database_url):
    made = opened(database_url)
    yield made
    made.close()


def folder(number, parent, name):
    path = f"/here/{name}" if parent else f"/{name}"
    return {"id": number, "parent_id": parent, "path": path, "name": name, "active": True, "made": False}


def file(number, name, **more):
    texts = dict.fromkeys(("sha256", "datatype", "owner", "dst_file_name", "correlation_id", "description"), "")
    times = dict.fromkeys(("created_at", "modified_at", "put_at", "first_read_at", "accessed_at", "expires_at"), 0)
    return {"fileset": number, "folder_id": 1, "name": name, "size": 0, **texts, **times, **more}


def opened(url):
    made = Database(
        url, schema="filestore-svc", metadata=tables.metadata, migrations="filestore_svc.migrations", head=HEAD
    )
    made.migrate()
    with made.write() as connection:
        connection.execute(sa.insert(tables.folders), [folder(1, None, "here"), folder(2, None, "there")])
    return made


def filled(database, seed):
    """Fill the folder with names and keys, many of them equal; return its children as a model."""
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
    words = ".".join("*" if piece == "_" else piece for piece in pattern.split("."))
    return not pattern or re.fullmatch(".*".join(map(re.escape, words.split("*"))), name, re.DOTALL) is not None


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


def shown(connection, page, now=NOW):
    found = listing.listing(connection, HERE, None, page, now)
    return found.total, [child.name for child in found.children]


@pytest.mark.parametrize("seed", range(4))
def test_every_page_is_what_a_plain_sort_gives(database, seed):
    """Each sort, direction, type and filter gives at any position the page that a plain sort gives."""
    children = filled(database, seed)
    with database.read() as connection:
        for sort, descending, kind, pattern in itertools.product(SORTS, (True, False), KINDS, FILTERS):
            whole = expected(children, sort, descending, kind, pattern)
            selection = Selection(kind=kind, pattern=listing_filter(pattern))
            assert listing.count(connection, HERE, None, selection, NOW) == len(whole)
            for start, limit in ((0, 5), (0, 100), (3, 7), (17, 4), (len(whole) - 3, 2), (len(whole) - 1, 9)):
                asked = Page(selection=selection, sort=sort, descending=descending, start=max(start, 0), limit=limit)
                assert shown(connection, asked) == (len(whole), whole[max(start, 0) :][:limit])


@pytest.mark.parametrize("seed", range(2))
def test_pages_of_large_groups(database, seed):
    """Where most files share a key, all pages together show each file once."""
    dice = random.Random(seed)
    most = dice.choice((0, 5))
    rows = [
        file(
            100 + number,
            f"{dice.choice('ab')}{number:03d}.{dice.choice(('csv', 'csv', 'txt'))}",
            size=dice.choice((most, most, most, 1, 9)),
            put_at=dice.choice((7, 7, 7, 8, 10 + number)),
            first_read_at=dice.choice((0, 0, most, 7, 9, 10 + number)),
            expires_at=dice.choice((0, 0, NOW - 1, NOW + most, NOW + 9, NOW + 10 + number)),
        )
        for number in range(900)
    ]
    subfolders = [folder(10 + number, 1, f"b{number:02d}0") for number in range(seed * 5)]
    with database.write() as connection:
        connection.execute(sa.insert(tables.files), rows)
        if subfolders:
            connection.execute(sa.insert(tables.folders), subfolders)
    living = [row for row in rows if not 0 < row["expires_at"] <= NOW]
    children = [(each["name"], 0, each) for each in subfolders] + [(row["name"], row["fileset"], row) for row in living]
    with database.read() as connection:
        for sort, descending, pattern in itertools.product(
            SORTS, (True, False), ("", "*.csv", "b*", "a*.txt", "*7*", "*0.txt", "b1*", "a*9*v")
        ):
            whole = expected(children, sort, descending, "all", pattern)
            selection = Selection(pattern=listing_filter(pattern))
            for start in range(0, len(whole) + 1, 90):
                asked = Page(selection=selection, sort=sort, descending=descending, start=start, limit=90)
                assert shown(connection, asked) == (len(whole), whole[start : start + 90])


def test_filters_at_the_edges(database):
    """A filter finds every name that begins or ends with its text, whatever its last character, and no other."""
    pieces = ["".join(each) for length in (1, 2) for each in itertools.product(EDGES, repeat=length)]
    names = sorted({*pieces, *(f"{each}.data-{each}" for each in EDGES), "aba", "abba", "ab", "order-7.csv", "aaa"})
    with database.write() as connection:
        connection.execute(sa.insert(tables.files), [file(1 + number, name) for number, name in enumerate(names)])
    filters = {f"{each}*" for each in pieces} | {f"*{each}" for each in pieces} | {f"*{each}*" for each in EDGES}
    filters |= {f"{first}*{last}" for first, last in itertools.product(EDGES, repeat=2)}
    filters |= {f"_.data-{each}" for each in EDGES} | {f"{each}._" for each in EDGES} | {f"*.data-{EDGES[0]}", *EDGES}
    filters |= {"ab*ba", "a*a", "aa*aa", "*", "_", "**", "*ab*ba*", "order_7*", "_7.csv", "*-7.csv", "*order-7.csv"}
    with database.read() as connection:
        for pattern in sorted(filters):
            found = [name for name in names if matches(name, pattern.replace("**", "*"))]
            assert listing_filter(pattern) is not None
            asked = Page(selection=Selection(pattern=listing_filter(pattern)), descending=False)
            hopeless = asked.selection.pattern.hopeless
            assert shown(connection, asked) == ((0, []) if hopeless else (len(found), found)), ascii(pattern)


def test_names_of_every_character(database):
    """Names are found by their first and last character, and none is taken for a wildcard."""
    signs = [chr(point) for point in range(0x20, 0x100) if not 0x7F <= point < 0xA0]
    names = sorted(f"{sign}{middle}{sign}" for sign in signs for middle in ("m", "longer than an ending"))
    with database.write() as connection:
        connection.execute(sa.insert(tables.files), [file(1 + number, name) for number, name in enumerate(names)])
    with database.read() as connection:
        for sign in signs:
            for pattern in (f"{sign}*", f"*m{sign}", f"{sign}l*an ending{sign}"):
                found = [name for name in names if matches(name, pattern)]
                asked = Page(selection=Selection(pattern=listing_filter(pattern)), descending=False, limit=1000)
                assert shown(connection, asked) == (len(found), found)


def test_parts_of_names_are_found_in_a_large_folder(database):
    """A filter over the cached names of a folder counts what a plain search counts, also after each change."""
    dice = random.Random(7)
    signs = "ab.*+?()[]{}^$|\\-# éß漢"
    names = {f"{number:04d}{''.join(dice.choices(signs, k=6))}" for number in range(2_200)}
    ends = {name: NOW + dice.choice((0, 1)) if number % 50 == 0 else 0 for number, name in enumerate(sorted(names))}
    rows = {name: file(100 + number, name, expires_at=end) for number, (name, end) in enumerate(ends.items())}
    with database.write() as connection:
        connection.execute(sa.insert(tables.files), list(rows.values()))

    def check(texts, now):
        with database.read() as connection:
            for text in texts:
                selection = Selection(kind="files", pattern=listing_filter(f"*{text}*"))
                found = [name for name in rows if text in name and not 0 < ends[name] <= now]
                assert listing.count(connection, HERE, None, selection, now) == len(found), text

    pieces = [*signs.replace("*", ""), "a.", "(b", "00", "éß", "nowhere"]
    check(pieces, NOW - 1)
    check(pieces[::-1], NOW)
    for number, text in enumerate(("ab", "12", "ß")):
        gone = next(name for name in rows if text in name)
        with database.write() as connection:
            connection.execute(sa.delete(tables.files).where(tables.files.c.name == gone))
            connection.execute(sa.insert(tables.files), [file(9_000 + number, f"new-{text}-{number}", expires_at=0)])
        del rows[gone]
        rows[f"new-{text}-{number}"], ends[f"new-{text}-{number}"] = {}, 0
        check([text, f"-{text}", f"w-{text}-", "ew-", "e"], NOW)


def test_an_expired_file_leaves_every_count(database):
    """A count of a filter, cached or not, loses a file when it expires, and none when it is swept."""
    ends = {f"{number}.{'csv' if number % 3 else 'txt'}": NOW + number % 5 for number in range(60)}
    with database.write() as connection:
        rows = [file(1 + number, name, expires_at=end) for number, (name, end) in enumerate(ends.items())]
        connection.execute(sa.insert(tables.files), rows)
    for now in range(NOW - 1, NOW + 6):
        for _ in range(2):
            with database.read() as connection:
                for pattern in ("*.csv", "1*", "*3*", "1*.txt", "17.csv"):
                    found = sorted(name for name, end in ends.items() if end > now and matches(name, pattern))
                    asked = Page(selection=Selection(pattern=listing_filter(pattern)), descending=False)
                    assert shown(connection, asked, now) == (len(found), found)
            with database.write() as connection:
                over = (tables.files.c.expires_at <= now, tables.files.c.name < "3")
                connection.execute(sa.delete(tables.files).where(*over))


def test_pages_come_out_of_an_index_alone(tmp_path):
    """SQLite reads no rows and sorts nothing for a page, in every sort and filter, with expired files among them."""
    database = opened(f"sqlite:///{tmp_path}/plans.db")
    rows = [file(1 + number, f"f{number:03d}.csv", expires_at=number % 2) for number in range(400)]
    with database.write() as connection:
        connection.execute(sa.insert(tables.files), rows)
    asked = []

    def remember(_connection, _cursor, statement, parameters, *_more):
        # Only the files on the page are read whole.
        if "FROM files" in statement and "files.sha256" not in statement:
            asked.append((statement, parameters))

    sa.event.listen(database.engine, "before_cursor_execute", remember)
    with database.read() as connection:
        for sort, descending, pattern in itertools.product(
            SORTS, (True, False), ("", "*.csv", "f*", "*0*", "f*csv", "f00*", "*99.csv", "f001.csv")
        ):
            selection = Selection(pattern=listing_filter(pattern))
            few = listing.count(connection, HERE, None, selection, NOW) <= 200 / 16
            for start in (0, 40, 100, 199):
                asked.clear()
                page = Page(selection=selection, sort=sort, descending=descending, start=start, limit=10)
                listing.listing(connection, HERE, None, page, NOW)
                queries = tuple(asked)
                assert queries
                for statement, parameters in queries:
                    plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
                    steps = [step for *_, step in plan]
                    assert all("COVERING INDEX" in step for step in steps if "files" in step), (pattern, statement)
                    assert few or not any("TEMP B-TREE" in step for step in steps), (pattern, statement)
    database.close()


def test_counts_follow_every_change(database):
    """The kept counts of a folder equal its rows, after inserts, deletes and rollbacks."""
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
