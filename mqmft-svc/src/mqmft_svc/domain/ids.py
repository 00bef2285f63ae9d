"""Tell the ids of transfers and calls from other texts (61)."""


def is_id(text: str) -> bool:
    """Return whether a text can be an id: 1 to 48 ASCII letters and digits.

    Others are not looked up: PostgreSQL refuses some, such as those with a NUL.
    """
    return text.isascii() and text.isalnum() and len(text) <= 48
