"""Read the coordination queue manager of a hub from the database of mqmft-svc."""

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from mqmft_svc.settings import Settings
from mqmft_svc.store.tables import APPLIED


def applied_qmgr(settings: Settings) -> Callable[[sa.Connection], str]:
    """Return a reader of its name; the environment wins over the configuration in force, "" where neither names it."""

    def read(connection: sa.Connection) -> str:
        if settings.coordination_qmgr is not None:
            return settings.coordination_qmgr
        _, document, _ = APPLIED.fetch(connection)
        section: Mapping[str, Any] = document.get("ibm_mq_mft") or {}
        return str(section.get("coordination_qmgr", ""))

    return read
