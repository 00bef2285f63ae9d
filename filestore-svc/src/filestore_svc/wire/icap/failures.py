"""Name what comes of a content that is not found clean."""


class Blocked(Exception):  # noqa: N818 -- reads as what it is where it is raised
    """The scanner does not let the content pass; `threat` is what it calls the reason, empty where it tells none."""

    def __init__(self, threat: str) -> None:
        super().__init__(threat)
        self.threat = threat


class ScannerAway(Exception):  # noqa: N818 -- the same
    """There is no verdict. `begun`: the scanner had said that it does not simply let the content pass."""

    def __init__(self, reason: str, *, begun: bool = False) -> None:
        super().__init__(reason)
        self.begun = begun


class ScannerSilent(ScannerAway):
    """The scanner has all of the content, and has said nothing about it for too long."""
