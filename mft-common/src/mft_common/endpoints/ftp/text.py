"""Translate line ends of transfers of type ASCII: CR LF on the connection, LF here."""


class ToNetwork:
    """Makes each LF a CR LF; a CR LF that is there already stays as it is, wherever blocks are cut."""

    def __init__(self) -> None:
        self._after_cr = False

    def feed(self, block: bytes) -> bytes:
        """Return the block as it is sent."""
        if not block:
            return b""
        marked = b"\r" + block if self._after_cr else block
        sent = marked.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        if self._after_cr:
            # The CR itself was sent with the former block.
            sent = sent[1:]
        self._after_cr = block.endswith(b"\r")
        return sent


class FromNetwork:
    """Makes each CR LF a LF; a CR at the end of a block waits for the next one."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, block: bytes) -> bytes:
        """Return the block as it is here."""
        block = self._held + block
        self._held = b"\r" if block.endswith(b"\r") else b""
        return block[: len(block) - len(self._held)].replace(b"\r\n", b"\n")

    def finish(self) -> bytes:
        """Return what waited."""
        held, self._held = self._held, b""
        return held
