"""Define the error that ends a job before all its files are moved."""


class EndedEarlyError(Exception):
    """The job is over before all its files are moved; `completion` is its completion status."""

    def __init__(self, completion: str, reason: str) -> None:
        super().__init__(reason)
        self.completion = completion
        self.reason = reason
