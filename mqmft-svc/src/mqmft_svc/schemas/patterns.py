"""Check the patterns of monitors as far as can be done without matching (186).

Any pattern may take longer than the age of the hub to match a name. So a worker matches in a child, with a limit, and
here a pattern is only compiled, which takes a time that its length bounds: but for one that ignores case, of which each
range of characters is walked through.
"""

# ruff: noqa: N818 -- the name of a condition

import re
import warnings
from typing import Final

_ESCAPED: Final = re.compile(r"\\.", re.DOTALL)
_FLAGS: Final = re.compile(r"\(\?[a-zA-Z]*[-a-zA-Z]*[:)]")


class PatternInvalid(ValueError):
    """A pattern that is no regular expression, or one that is not taken."""


def check_regex(pattern: str) -> None:
    """Raise PatternInvalid unless a pattern is a regular expression of Python without flags."""
    flags = _FLAGS.search(_ESCAPED.sub("", pattern))
    if flags is not None and flags[0] != "(?:":
        raise PatternInvalid("flags of regular expressions are not taken.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternInvalid(f"it is no regular expression: {error}.") from error
