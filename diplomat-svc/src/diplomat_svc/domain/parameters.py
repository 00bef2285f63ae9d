"""The pairs of one request."""

from collections.abc import Iterable, Iterator, Mapping


class Parameters(Mapping[str, tuple[str, ...]]):
    """The values of each parameter by its name; `pairs` has them in the order sent, over all names."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs = tuple(pairs)
        found: dict[str, list[str]] = {}
        for name, value in self.pairs:
            found.setdefault(name, []).append(value)
        self._values = {name: tuple(values) for name, values in found.items()}

    def __getitem__(self, name: str) -> tuple[str, ...]:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
