"""Decide whether the resources below `admin/mft` are served at all (128)."""

from dataclasses import dataclass

from mqmft_svc.errors import MftDisabled, NoCoordinationQueueManager


@dataclass(frozen=True)
class Availability:
    """Whether managed file transfer is on, and its coordination queue manager, "" where none is named."""

    enabled: bool
    coordination_qmgr: str

    def require(self) -> None:
        """Raise MftDisabled or NoCoordinationQueueManager; called once the parameters are known to be right (22)."""
        if not self.enabled:
            raise MftDisabled
        if not self.coordination_qmgr:
            raise NoCoordinationQueueManager
