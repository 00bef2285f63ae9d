"""A call that has passed the checks of its envelope, and the replies that operations give."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from mft_common.directory import Account
from mft_common.identity import Identity
from sertainty_svc.wire import MESSAGES, SUCCESS, Reply, Result


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The account whose session a call came with; `token` is the session's secret."""

    token: str
    account: Account


@dataclass(frozen=True, kw_only=True)
class Call:
    """A checked call; arguments are texts, or bytes where the argument is binary."""

    identity: Identity
    caller: Caller | None
    arguments: Mapping[str, list[Any]]

    def text(self, name: str) -> str:
        """Return an argument that comes once and is text."""
        return str(self.arguments[name][0])

    @property
    def account(self) -> str:
        """The name of the calling account, "" without a session."""
        return "" if self.caller is None else self.caller.account.name


Operation = Callable[[Call], Reply]
Family = Mapping[str, Operation]


class FunctionFamily(Protocol):
    """Functions of the protocol that belong together."""

    @property
    def functions(self) -> Family:
        """The functions by their names."""
        ...


def succeeded(*results: str) -> Reply:
    """Return the reply of a success; without results it has no ResultList (11)."""
    return succeeded_with(*(text.encode() for text in results))


def succeeded_with(*contents: bytes) -> Reply:
    """Return the reply of a success whose results are bytes."""
    return Reply(SUCCESS, MESSAGES[SUCCESS], [Result(content) for content in contents] or None)


def listed(names: Iterable[str]) -> Reply:
    """Return the reply of a list function: the names in order, and an empty ResultList without any (11)."""
    return Reply(SUCCESS, MESSAGES[SUCCESS], [Result(name.encode()) for name in sorted(names)])
