"""Name the file that is moved aside while another takes its name in two steps."""

from typing import Final

from mft_common.endpoints.names import LONGEST, size_of

# The former file of a name is moved aside under the temporary name of a temporary name. No other file has that one,
# because a name of this form is refused as a file's name. Listings leave it out, and a sweep finds what it belongs to.
_FORMER: Final = "0000000000000000"
# The token of former files that no sweep removes: no piece of work has it.
_KEPT: Final = "FFFFFFFFFFFFFFFF"


def aside_name(name: str, token: str) -> str | None:
    """Return the name under which the former file of `name` is kept during a replacement in two steps.

    None where that would be too long for a folder.
    """
    aside = f"..{name}.{_FORMER}.part.{token}.part"
    return aside if size_of(aside) <= LONGEST else None


def former_name(aside: str, token: str) -> str | None:
    """Return the final name of a file that was moved aside, None for another temporary name."""
    name = aside.removeprefix("..").removesuffix(f".{_FORMER}.part.{token}.part")
    return name if name and aside_name(name, token) == aside else None


def kept_name(aside: str) -> str:
    """Return the name that a file that was moved aside keeps where another program has taken its final name."""
    return f"{aside.rsplit('.', 2)[0]}.{_KEPT}.part"
