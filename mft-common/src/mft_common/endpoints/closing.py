"""Close an endpoint at the end of a `with` block."""

from abc import ABC, abstractmethod
from typing import Self


class Closing(ABC):
    """The part of every endpoint that makes it a context manager."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection; never raises."""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()
