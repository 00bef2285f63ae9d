"""The function that a worker runs in its children: list the folder of a monitor, and match its names."""

import re
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from types import FrameType
from typing import Any, Final

from mft_common.endpoints.errors import TransferError, reason_of
from mft_common.endpoints.names import Patterns
from mft_common.process.runner import Channel
from mft_common.watching import EndpointListing, Found, Listing, LocalListing
from mqmft_svc.operations.managed.order import SOURCE, Order
from mqmft_svc.operations.managed.paths import is_hidden
from mqmft_svc.operations.managed.roots import Root

LIST: Final = f"{__name__}:list_folder"
PAGE: Final = "page"
# The files of one message: a path has 4 KiB at most, and six bytes a character as JSON.
_PAGE: Final = 100
# The times of more folders than these are not told: the folder is listed each time then.
_MOST_FOLDERS: Final = 10_000
# The processor time for all names of one listing (186).
_MATCHING_S: Final = 2.0

Matcher = Callable[[Found], bool]


class PatternTooSlow(TransferError):  # noqa: N818 -- the name of a condition
    """A regular expression takes more time than a listing has for it."""


def list_folder(channel: Channel, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Send the files of a folder below the root of an agent that the patterns match, in pages.

    Return whether the listing was `complete`, the folder as its file system names it (`root`), and the `times` of its
    folders; of a folder that could not be listed the `problem`.
    """
    order = Order.from_json({**payload["order"], "items": (), "files": None, "retry_count": 0, "recover": False})
    try:
        root = Root(order, SOURCE)
        with _listing(root, order, root.path(payload["resource"])) as listing:
            budget = _Budget(_MATCHING_S)
            matches = _matcher(payload)
            files = iter(listing.files(depth=payload["depth"]))
            while page := list(islice(files, _PAGE)):
                with budget:
                    matching = [found for found in page if matches(found)]
                channel.tell(PAGE, [[one.path, one.identity, one.size, one.modified_at] for one in matching])
            times = listing.times if isinstance(listing, LocalListing) else None
    except TransferError as error:
        return {"problem": reason_of(error)}
    if times is not None and len(times) > _MOST_FOLDERS:
        times = None
    return {"problem": "", "complete": listing.complete, "root": listing.root, "times": times}


@contextmanager
def _listing(root: Root, order: Order, path: str) -> Iterator[Listing]:
    if root.target.scheme == "file":
        endpoints, _ = order.root(SOURCE)
        yield LocalListing(endpoints.folders.resolve(root.target.below(path)))
        return
    with root.below(path) as endpoint:
        yield EndpointListing(lambda: endpoint)


def _matcher(payload: Mapping[str, Any]) -> Matcher:
    """Return the check that a file's name matches the pattern of a monitor and not the one that excludes names.

    A wildcard passes over hidden files as it does in a transfer (218).
    """
    include, exclude = payload["include"], payload["exclude"]
    if payload["match"] == "regex":
        wanted, unwanted = re.compile(include or ".*", re.DOTALL), re.compile(exclude) if exclude else None
        return lambda one: wanted.fullmatch(one.name) is not None and not (unwanted and unwanted.fullmatch(one.name))
    pattern = include or "*"
    patterns, excluded = Patterns((pattern,)), Patterns((exclude,) if exclude else ())
    return lambda one: patterns.match(one.name) and not is_hidden(one.path, pattern) and not excluded.match(one.name)


class _Budget:
    """The processor time that a process may spend in all blocks together; PatternTooSlow in the one that exceeds it.

    The engine of regular expressions looks for signals while it searches.
    """

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        signal.signal(signal.SIGVTALRM, self._exceeded)

    def __enter__(self) -> None:
        signal.setitimer(signal.ITIMER_VIRTUAL, self._left)

    def __exit__(self, *_: object) -> None:
        self._left = max(signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)[0], 0.001)

    @staticmethod
    def _exceeded(_signal: int, _frame: FrameType | None) -> None:
        raise PatternTooSlow("a pattern takes too much time: the regular expression tries too many ways to match")
