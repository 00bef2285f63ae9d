"""An ID: its definition, its key, and the errors of its use (10.2)."""

from collections.abc import Mapping
from dataclasses import dataclass

from mft_common.endpoints.errors import TransferError
from sertainty_svc.domain.machines import Machine
from sertainty_svc.domain.rules import RuleName, Rules


class IdUnusable(TransferError):  # noqa: N818 -- a condition
    """The contents are no ID, or an ID that cannot be used; the text says why."""


class RuleBreached(TransferError):  # noqa: N818 -- a condition
    """A rule of the ID forbids it now; `rule` is the name of that rule (101)."""

    def __init__(self, rule: RuleName) -> None:
        super().__init__(f"the rule {rule} of the ID forbids it")
        self.rule = rule


class NotForThisMachine(TransferError):  # noqa: N818 -- a condition
    """The ID does not open on this machine: it is not one of the ID's, or the ID was changed after it was made."""


class NotForThisId(TransferError):  # noqa: N818 -- a condition
    """The file was protected to another ID."""


@dataclass(frozen=True, kw_only=True)
class Definition:
    """The content of an ID: `uid` is its UUID, `algorithm` and `public_key` are those of its own key pair."""

    uid: str
    name: str
    created: str
    preset: str
    rules: Rules
    algorithm: str
    public_key: bytes
    machines: tuple[Machine, ...]


@dataclass(frozen=True, kw_only=True)
class IdDocument:
    """An ID that was read. `info` binds each wrap to the definition; `wraps` maps ids of machines to wrapped keys."""

    definition: Definition
    info: bytes
    wraps: Mapping[str, bytes]


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """The key that files are protected to: the 16 bytes of the ID's UUID, the suite of the key, and its raw bytes."""

    uid: bytes
    suite: int
    public_key: bytes
