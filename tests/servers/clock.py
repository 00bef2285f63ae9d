"""A clock for what counts by another time than that of the machine."""


class Clock:
    """A clock that a test sets: `at` is its time, in the unit of what it is given to."""

    def __init__(self, at: float = 0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at
