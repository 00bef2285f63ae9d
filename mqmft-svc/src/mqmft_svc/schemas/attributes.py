"""Parse the query parameter `attributes`, and select those attributes of a document (1.D)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mqmft_svc.errors import AttributeNotApplicable, AttributeRepeated, AttributeUnknown

Tree = dict[str, Any]


def leaves(names: str) -> Tree:
    """Return a tree of attributes, whose names are separated by blanks."""
    return dict.fromkeys(names.split(), None)


_CHECKSUM: Final = leaves("method value")
_FILE: Final = leaves("path size lastModified encoding endOfLine")
_DATASET: Final = leaves("name attributes size")
_STATUS: Final = leaves("state description")
_AGENT: Final = leaves("name qmgrName")
_SOURCE_QUEUE: Final = leaves("name messageCount setMqProperties")
_DESTINATION_QUEUE: Final = leaves(
    "name messageCount messageLength messageOrGroupId delimiterType delimiter delimiterPosition"
    " includeDelimiterInMessage"
)
_KINDS: Final = ("file", "queue", "dataset")

# Every attribute and object of a transfer by its path (1.F); None marks an attribute.
TRANSFER: Final[Tree] = {
    "id": None,
    "job": leaves("name"),
    "userProperties": None,
    "sourceAgent": _AGENT,
    "destinationAgent": _AGENT,
    "originator": leaves("host userId mqmdUserId"),
    "statistics": leaves(
        "startTime endTime numberOfFiles numberOfFileSuccesses numberOfFileFailures numberOfFileWarnings retryCount"
    ),
    "status": leaves("state description lastStatusUpdate"),
    "transferSet": {
        **leaves("startTime bytesSent"),
        "item": {
            "mode": None,
            "status": _STATUS,
            "source": {
                **leaves("type disposition"),
                "checksum": _CHECKSUM,
                "file": _FILE,
                "queue": _SOURCE_QUEUE,
                "dataset": _DATASET,
            },
            "destination": {
                **leaves("type actionIfExists"),
                "checksum": _CHECKSUM,
                "file": _FILE,
                "queue": _DESTINATION_QUEUE,
                "dataset": _DATASET,
            },
        },
    },
}
# Those of a call (190).
CALL: Final[Tree] = {
    "id": None,
    "agent": _AGENT,
    "originator": leaves("host userId mqmdUserId"),
    "statistics": leaves("startTime endTime"),
    "status": _STATUS | leaves("lastStatusUpdate"),
    "job": leaves("name"),
    "userProperties": None,
    "call": leaves("type name outcome resultCode retryCount answer"),
}
_OTHER_SPELLINGS: Final[Mapping[str, str]] = {"originator.userID": "originator.userId"}


class Selection:
    """The attributes that a request asks for beside the default set: `paths`, or all with `everything`."""

    def __init__(self, paths: Sequence[str] = (), *, everything: bool = False) -> None:
        self.paths = tuple(paths)
        self.everything = everything
        self._wanted: Tree = {}
        for path in paths:
            _mark(self._wanted, path.split("."))

    @property
    def needs_items(self) -> bool:
        """Whether the selection needs the transfer's items."""
        wanted = self._wanted.get("transferSet", {})
        return self.everything or wanted is None or "item" in wanted

    def extend(self, default: Tree, document: Tree) -> Tree:
        """Return the default document with the selected attributes of the whole one added (30)."""
        return document if self.everything else _joined(default, _cut(document, self._wanted))

    def check_applies(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Raise AttributeNotApplicable for a kind of source or destination that no item of the transfer has (35)."""
        for path in self.paths if items else ():
            parts = path.split(".")
            if len(parts) > 3 and parts[1] == "item" and parts[3] in _KINDS:  # noqa: SIM102 -- two questions
                if not any(parts[3] in one[parts[2]] for one in items):
                    raise AttributeNotApplicable(name=path)


DEFAULT: Final = Selection()


def parse(value: str, known: Tree = TRANSFER) -> Selection:
    """Parse `attributes` of a resource that has those of `known`; AttributeRepeated or AttributeUnknown (27-34)."""
    if value == "*":
        return Selection(everything=True)
    seen: set[str] = set()
    names = value.split(",")
    for name in names:
        path = _OTHER_SPELLINGS.get(name, name)
        if name == "*" or path in seen:
            raise AttributeRepeated(name=name)
        seen.add(path)
    for name in names:
        if not _is_known(_OTHER_SPELLINGS.get(name, name), known):
            raise AttributeUnknown(name=name)
    return Selection([_OTHER_SPELLINGS.get(name, name) for name in names])


def _is_known(path: str, known: Tree) -> bool:
    tree: Tree | None = known
    for part in path.split("."):
        if tree is None or part not in tree:
            return False
        tree = tree[part]
    return True


def _mark(tree: Tree, parts: Sequence[str]) -> None:
    """Add a path to a tree of wanted ones, in which None stands for all that is below."""
    first, *rest = parts
    if not rest:
        tree[first] = None
    elif tree.setdefault(first, {}) is not None:
        _mark(tree[first], rest)


def _cut(value: Any, wanted: Tree) -> Any:
    if isinstance(value, list):
        return [_cut(element, wanted) for element in value]
    result = {}
    for name, below in wanted.items():
        if name not in value:
            continue
        part = value[name] if below is None else _cut(value[name], below)
        if part != {} or below is None:
            result[name] = part
    return result


def _joined(one: Tree, other: Tree) -> Tree:
    result = dict(one)
    for name, value in other.items():
        mine = result.get(name)
        result[name] = _joined(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return result
