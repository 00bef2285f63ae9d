"""The methods that most endpoints have in common."""

from abc import ABC, abstractmethod
from typing import Self


class Closing(ABC):
    """The part of every endpoint that makes it a context manager; a far side makes its own names durable."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection; never raises."""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def make_durable(self, path: str) -> None:
        """Do nothing: the far side has done what it can before the name was visible."""
        del path
