"""Deletions at a server that is changed by others, and fails, at every moment: no newer file is lost."""

import itertools
from dataclasses import dataclass

import pytest

from mft_common.endpoints import aside_delete
from mft_common.endpoints.aside_delete import marks_of
from mft_common.endpoints.errors import Changed, Denied, Exists, NotFound, TransferError, Transient

TOKEN = "0123456789ABCDEF"
LISTED = marks_of(5, 500)
KEPT = "FFFFFFFFFFFFFFFF"
CALLS = 14
NAMES = ("f", "f" * 240)
WHATS = ("newer", "of the same size", "removed", "lost", "crash")


class CrashError(Exception):
    """The process dies at this call."""


@dataclass(frozen=True)
class File:
    """A file: its content, size and time."""

    content: str
    size: int
    time: int


class Server:
    """A server with the listed file `name`; `events` are (number of the call, whether before it, what happens)."""

    def __init__(self, name, events, *, exclusive):
        self.name = name
        self.names = {name: File("listed", 5, 500)}
        self.newest = {}
        self._events = {(call, before): what for call, before, what in events}
        self._exclusive = exclusive
        self._calls = 0

    def call(self, operation):
        """Carry an operation out, with what happens before and after it."""
        self._calls += 1
        self._happens(before=True)
        result = operation()
        self._happens(before=False)
        return result

    def _happens(self, *, before):
        what = self._events.get((self._calls, before))
        if what == "crash":
            raise CrashError
        if what == "lost":
            raise Transient("no answer")
        if what is None:
            return
        former = self.names.pop(self.name, None)
        # A file that its owner replaces or removes is not ours to keep.
        if former is not None:
            self.newest.pop(former.content, None)
        if what != "removed":
            content = f"newer {self._calls} {before}"
            self.newest[content] = size = 5 if what == "of the same size" else 9
            self.names[self.name] = File(content, size, 1000 + 2 * self._calls + (not before))

    def marks(self, path):
        found = self.call(lambda: self.names.get(path))
        return None if found is None else marks_of(found.size, found.time)

    def move(self, path, target):
        def move():
            if path not in self.names:
                raise NotFound(path)
            if self._exclusive and target in self.names:
                raise Denied(target)
            self.names[target] = self.names.pop(path)

        self.call(move)

    def give(self, path, target):
        def give():
            if target in self.names:
                raise Exists(target)
            if path not in self.names:
                raise NotFound(path)
            self.names[target] = self.names.pop(path)

        self.call(give)

    def remove(self, path, _name):
        def remove():
            if self.names.pop(path, None) is None:
                raise NotFound(path)

        self.call(remove)

    def look(self):
        found = self.marks(self.name)
        if found is None:
            raise NotFound(self.name)
        if found != LISTED:
            raise Changed(self.name)
        return found

    def end_what_was_cut_off(self):
        """Do what the sweep does after a crash, when nothing else happens."""
        self._events = {}
        aside_delete.end_deletions(self, sorted(name for name in self.names if name.startswith(".")), TOKEN)


def deleted(name, events, *, exclusive):
    """Delete the listed file while `events` happen; return the server, and whether the deletion was told as done."""
    server, left, done = Server(name, events, exclusive=exclusive), True, False
    try:
        aside_delete.delete(server, name, LISTED[0], TOKEN, server.look)
        left, done = False, True
    except TransferError as error:
        left = error.leftover
    except CrashError:
        pass
    if left:
        server.end_what_was_cut_off()
    return server, done


@pytest.mark.parametrize("name", NAMES, ids=["short", "long"])
@pytest.mark.parametrize("exclusive", [False, True])
def test_no_newer_file_is_lost_whatever_two_things_happen_at_any_moment(exclusive, name):
    """Newer files, lost answers and crashes around every call: each newer file has its name or a kept one."""
    events = [(call, before, what) for call in range(1, CALLS) for before in (True, False) for what in WHATS]
    for given in itertools.chain([()], itertools.combinations(events, 2)):
        server, done = deleted(name, given, exclusive=exclusive)
        there = {file.content for file in server.names.values()}
        assert server.newest.keys() <= there, given
        assert not (done and "listed" in there), given
        assert [name for name in server.names if name.startswith(".") and KEPT not in name] == [], given
