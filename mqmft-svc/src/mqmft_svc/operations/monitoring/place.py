"""Say as text where a monitor looks, and for what: it is what a scan knows its folder by."""

import json
from dataclasses import asdict, dataclass
from typing import Self

from mqmft_svc.domain.monitors import Monitor


@dataclass(frozen=True)
class Place:
    """The resource of one monitor, with its condition; of a folder, which of its names match."""

    key: str
    type: str
    agent: str
    resource: str
    condition: str
    include: str
    exclude: str
    match: str

    @classmethod
    def of(cls, monitor: Monitor) -> Self:
        """Return the place of a monitor."""
        condition = monitor.condition
        patterns = condition.include, condition.exclude, condition.match
        return cls(monitor.key, monitor.type, monitor.agent, monitor.resource, condition.type, *patterns)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return the place of what `to_text` gave."""
        return cls(**json.loads(text))

    def to_text(self) -> str:
        """Return the place as text."""
        return json.dumps(asdict(self), sort_keys=True)
