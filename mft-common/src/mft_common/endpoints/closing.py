"""The methods that most endpoints have in common."""

from abc import ABC, abstractmethod
from typing import Self


class Closing(ABC):
    """The part of every endpoint that makes it a context manager, and what most far sides do by themselves."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection; never raises."""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def end_deletions(self, token: str) -> None:
        """Do nothing: the far side deletes a file by one call."""
        del token

    def make_durable(self, path: str) -> None:
        """Do nothing: the far side has done what it can before the name was visible."""
        del path
