"""Parse the patterns by which callers filter names."""

import unicodedata
from dataclasses import dataclass
from itertools import takewhile

_MOST_LITERAL = 255


def _is_literal(token: tuple[str, bool]) -> bool:
    return not token[1]


@dataclass(frozen=True)
class Pattern:
    """A pattern for whole names: `tokens` are literal characters, `*` (any run, also none) and `?` (one character).

    A `hopeless` pattern matches no valid name, so that no database needs to be asked.
    """

    tokens: tuple[tuple[str, bool], ...]
    hopeless: bool = False

    @classmethod
    def of(cls, text: str, wild: frozenset[str]) -> "Pattern":
        """Parse a text in which the characters of `wild` are wildcards."""
        tokens: list[tuple[str, bool]] = []
        for character in unicodedata.normalize("NFC", text):
            token = (character, character in wild)
            if token != ("*", True) or not tokens or tokens[-1] != token:
                tokens.append(token)
        literals = [character for character, special in tokens if not special]
        impossible = any(unicodedata.category(character) in ("Cc", "Cs") for character in literals)
        return cls(tuple(tokens), impossible or len(tokens) > 4 * _MOST_LITERAL or len(literals) > _MOST_LITERAL)

    @property
    def head(self) -> str:
        """Return the literal text before the first wildcard."""
        return "".join(character for character, _ in takewhile(_is_literal, self.tokens))

    @property
    def tail(self) -> str:
        """Return the literal text after the last wildcard."""
        return "".join(character for character, _ in takewhile(_is_literal, reversed(self.tokens)))[::-1]

    @property
    def whole(self) -> bool:
        """Return whether it has no wildcard, and so matches one name."""
        return all(map(_is_literal, self.tokens))

    @property
    def plain(self) -> bool:
        """Return whether it is a head, one `*` and a tail, each of which may be empty."""
        return [token for token in self.tokens if token[1]] == [("*", True)]

    @property
    def inner(self) -> str:
        """Return the text of a pattern `*text*`, "" for any other pattern."""
        ends = [place for place, token in enumerate(self.tokens) if token[1]]
        if ends != [0, len(self.tokens) - 1] or ("?", True) in self.tokens:
            return ""
        return "".join(character for character, special in self.tokens if not special)

    def glob(self) -> str:
        """Render as SQLite's GLOB."""
        return "".join(
            character if special or character not in "*?[" else f"[{character}]" for character, special in self.tokens
        )

    def like(self) -> str:
        """Render as PostgreSQL's LIKE with a backslash as the escape."""
        words = {"*": "%", "?": "_"}
        return "".join(
            words[character] if special else f"\\{character}" if character in "%_\\" else character
            for character, special in self.tokens
        )


def listing_filter(text: str) -> Pattern | None:
    """Parse the `filter` of countelements and directories; None when it is empty.

    `*` is the wildcard. `_` is one where it is a whole piece between dots, as the vendor's page prints it. (D1)
    """
    if not text:
        return None
    pieces = ["*" if piece == "_" else piece for piece in text.split(".")]
    return Pattern.of(".".join(pieces), frozenset("*"))


def shell_pattern(text: str) -> Pattern | None:
    """Parse a pattern with `*` and `?`; None when it is empty."""
    return Pattern.of(text, frozenset("*?")) if text else None
