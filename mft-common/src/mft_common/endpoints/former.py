"""Name the file that is moved aside while another takes its name in two steps."""

from mft_common.endpoints.names import temporary_name

# The former file of a name is kept under the temporary name of `NAME.former`, so that listings leave it out and a sweep
# finds the name that it belongs to.
_FORMER = ".former"


def aside_name(name: str, token: str) -> str | None:
    """Return the name under which the former file of `name` is kept, None where it would be too long for a folder."""
    aside = temporary_name(name + _FORMER, token)
    return aside if former_name(aside, token) == name else None


def former_name(aside: str, token: str) -> str | None:
    """Return the final name of a file that was moved aside, None for any other temporary name."""
    name = aside.removeprefix(".").removesuffix(f"{_FORMER}.{token}.part")
    return name if name and f".{name}{_FORMER}.{token}.part" == aside else None
