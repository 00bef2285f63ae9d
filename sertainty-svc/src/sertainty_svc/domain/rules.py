"""The rules of an ID, and whether they let a file be protected or unprotected (101)."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from sertainty_svc.domain.windows import Window

_DAY_MS = 86_400_000


class RuleName(StrEnum):
    """The rules that are enforced; errors name them."""

    EXPIRATION = "Expiration"
    SCHEDULE_DENY = "ScheduleDeny"
    HARDWARE_DENY = "HardwareDeny"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules of an ID or a preset. `expiration` is in milliseconds; `expiration_days` occurs in presets alone.

    `window` and `zone` are the local times at which `schedule_deny` lets files be protected and unprotected.
    """

    expiration: int | None = None
    expiration_days: int | None = None
    hardware_deny: bool = False
    schedule_deny: bool = False
    window: Window | None = field(default=None)
    zone: str = "UTC"

    def issued(self, now_ms: int) -> Self:
        """Return the rules of an ID that is made now from a preset: days become a moment, the earlier one counts."""
        if self.expiration_days is None:
            return self
        end = now_ms + self.expiration_days * _DAY_MS
        # An expiration of 0 is the begin of 1970, and not none.
        given = end if self.expiration is None else self.expiration
        return replace(self, expiration=min(end, given), expiration_days=None)
