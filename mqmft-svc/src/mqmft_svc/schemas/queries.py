"""Parse the query parameters of transfers and calls (1.D, 190)."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mqmft_svc.errors import (
    AfterWithBefore,
    AttributesNeedId,
    LimitInvalid,
    PageWithId,
    ParameterEmpty,
    ParameterRepeated,
    ParameterUnknown,
)
from mqmft_svc.schemas import attributes
from mqmft_svc.schemas.attributes import Selection
from mqmft_svc.settings import Settings

_PAGE: Final = ("limit", "after", "before")
_ANY: Final = "*"
_DIGITS: Final = re.compile("0*([0-9]+)", re.ASCII)
# More digits than any maximum has; int() of more would only cost time.
_MANY_DIGITS: Final = 18

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class ListQuery:
    """The parameters of a list: at most `limit` elements, nearest to `after` or `before`, ids in upper case."""

    limit: int
    after: str | None = None
    before: str | None = None
    selection: Selection = attributes.DEFAULT


def list_query(pairs: Pairs, version: str, settings: Settings) -> ListQuery:
    """Read the parameters of `GET transfer`; raises the 400s of 31-41 and 48."""
    given = given_once(pairs, {"attributes", *_PAGE}, settings)
    strict = settings.list_attributes == "strict" or (settings.list_attributes == "by-version" and version == "v2")
    if "attributes" in given and strict:
        raise AttributesNeedId
    return _page(given, settings, attributes.TRANSFER)


def call_list(pairs: Pairs, settings: Settings) -> ListQuery:
    """Read the parameters of `GET call`, whose list takes attributes always (190)."""
    return _page(given_once(pairs, {"attributes", *_PAGE}, settings), settings, attributes.CALL)


def _page(given: dict[str, str], settings: Settings, known: attributes.Tree) -> ListQuery:
    if "after" in given and "before" in given:
        raise AfterWithBefore
    return ListQuery(
        limit=_limit(given["limit"], settings.limit_max) if "limit" in given else settings.limit_default,
        after=given["after"].upper() if "after" in given else None,
        before=given["before"].upper() if "before" in given else None,
        selection=selection_of(given, known),
    )


def single_query(pairs: Pairs, settings: Settings) -> Selection:
    """Read the parameters of `GET transfer/{id}`; raises the 400s of 31-34, 42 and 48."""
    return single_of(pairs, settings, attributes.TRANSFER, "transfers")


def single_call(pairs: Pairs, settings: Settings) -> Selection:
    """Read the parameters of `GET call/{id}`."""
    return single_of(pairs, settings, attributes.CALL, "calls")


def single_of(
    pairs: Pairs, settings: Settings, known: attributes.Tree, resource: str, of_list: Collection[str] = _PAGE
) -> Selection:
    """Read the parameters of one of a `resource`, which has the attributes `known`; raises the 400s of 31-34 and 48.

    The parameters `of_list`, which are those of its list, are refused.
    """
    given = given_once(pairs, {"attributes", *of_list}, settings)
    for name in of_list:
        if name in given:
            raise PageWithId(name=name, resource=resource)
    return selection_of(given, known)


def no_query(pairs: Pairs, settings: Settings) -> None:
    """Refuse every parameter, for a resource that has none."""
    given_once(pairs, (), settings)


def selection_of(given: Mapping[str, str], known: attributes.Tree) -> Selection:
    """Return the attributes to show, of a resource that has those of `known`."""
    return attributes.parse(given["attributes"], known) if "attributes" in given else attributes.DEFAULT


def given_once(pairs: Pairs, known: Collection[str], settings: Settings) -> dict[str, str]:
    """Return the values of parameters that are `known`; raises the 400s of 48."""
    given: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            if settings.unknown_parameters == "reject":
                raise ParameterUnknown(reason=f"'{name}' is no query parameter of this resource")
            continue
        if name in given:
            raise ParameterRepeated(name=name)
        given[name] = value
    for name, value in given.items():
        if not value:
            raise LimitInvalid if name == "limit" else ParameterEmpty(name=name)
    return given


def value_of(given: Mapping[str, str], name: str, values: Sequence[str], *everything: str) -> str | None:
    """Return the value of a filter, None for any; ParameterUnknown for one that is none of `values` (183, 185)."""
    value = given.get(name, _ANY)
    if value in (_ANY, *everything):
        return None
    if value not in values:
        known = ", ".join((*values, *everything))
        raise ParameterUnknown(reason=f"'{value}' is no value of '{name}', which takes {known}")
    return value


def _limit(value: str, largest: int) -> int:
    match = _DIGITS.fullmatch(value)
    if match is None or match[1] == "0":
        raise LimitInvalid
    return largest if len(match[1]) > _MANY_DIGITS else min(int(match[1]), largest)


def wildcards(text: str) -> re.Pattern[str]:
    """Return the expression of a filter in which each asterisk stands for any characters, also for none.

    What stands between two asterisks is looked for once, so that many of them cost no more time than few.
    """
    first, *rest = (re.escape(part) for part in re.split(r"\*+", text))
    if not rest:
        return re.compile(first, re.DOTALL)
    *middle, last = rest
    return re.compile(first + "".join(f"(?>.*?{part})" for part in middle) + f".*{last}", re.DOTALL)
