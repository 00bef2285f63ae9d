"""Define the outcomes of a scan that does not find the content clean."""


class Blocked(Exception):  # noqa: N818 -- an outcome, which the caller handles
    """The scanner refused the content; `threat` is its name for the reason, empty where it gave none."""

    def __init__(self, threat: str) -> None:
        super().__init__(threat)
        self.threat = threat


class ScannerAway(Exception):  # noqa: N818 -- the same
    """There is no verdict. `begun`: the scanner had begun a response other than an unconditional pass."""

    def __init__(self, reason: str, *, begun: bool = False) -> None:
        super().__init__(reason)
        self.begun = begun


class ScannerSilent(ScannerAway):
    """The scanner has the whole content and has not responded within the timeout."""
