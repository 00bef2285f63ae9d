"""Read query strings and urlencoded forms."""

from urllib.parse import parse_qsl


def parameters(query: str) -> dict[str, str]:
    """Return each parameter's first value; bytes that are not UTF-8 become replacement characters (D21)."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, encoding="utf-8", errors="replace"):
        found.setdefault(name, value)
    return found


def form(body: bytes, content_type: str) -> dict[str, str]:
    """Return the fields of an urlencoded form, the first of each name; none for another Content-Type."""
    if content_type.split(";", maxsplit=1)[0].strip().lower() != "application/x-www-form-urlencoded":
        return {}
    return parameters(body.decode("ascii", "replace"))
