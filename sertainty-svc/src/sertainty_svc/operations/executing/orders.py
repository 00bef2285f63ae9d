"""Make the order of an execution: what its child needs of the section, the settings, and the stored IDs and scripts."""

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mft_common.endpoints.filestore import Filestore
from mft_common.errors import MftError
from sertainty_svc.domain.executions import Execution
from sertainty_svc.operations.protection.host_key import location
from sertainty_svc.operations.protection.machine import machine_uuid
from sertainty_svc.operations.running.order import Order
from sertainty_svc.schemas.configuration import Section
from sertainty_svc.settings import Settings
from sertainty_svc.store import objects
from sertainty_svc.store.objects import Key, Kind

_FILESTORE = "filestore:"


class Missing(MftError):  # noqa: N818 -- a condition
    """A task names an ID or a script that is not stored: the task's own fault (78, 86)."""


@dataclass(frozen=True)
class Orders:
    """Makes orders; `filestore` is the way to filestore-svc."""

    settings: Settings
    filestore: Filestore | None = None

    def order(
        self, connection: sa.Connection, section: Section, one: Execution, *, has_files: bool, confirm_s: float
    ) -> Order:
        """Return the order of an execution that a worker has; Missing."""
        definition = one.definition
        script = self._reference(connection, one, "script", definition.script)
        return replace(
            self.bare(section, one),
            has_files=has_files,
            id_contents=self._reference(connection, one, "id", definition.id_name),
            script=None if script is None else (definition.script, script),
            confirm_s=confirm_s,
        )

    def bare(self, section: Section, one: Execution) -> Order:
        """Return an order with the folders of an execution, without its files, its ID and its script."""
        state = self.settings.state
        return Order(
            transfer_id=one.transfer_id,
            token=one.token,
            configuration=one.configuration,
            number=one.number,
            attempt=one.attempts,
            runs=one.runs,
            ran=one.ran,
            definition=one.definition,
            has_files=False,
            roots=tuple(map(str, section.folders)),
            data=str(Path(self.settings.data).absolute()),
            filestore=self._filestore(one),
            interpreters=section.interpreters,
            script_path=section.script_path,
            script_user=section.script_user,
            script_wrapper=section.script_wrapper,
            machine_uuid=machine_uuid(state),
            host_key=str(location(self.settings, section)),
            private=str(state / "private"),
        )

    def _filestore(self, one: Execution) -> Mapping[str, Any] | None:
        named = any(folder.startswith(_FILESTORE) for folder in asdict(one.definition.folders).values())
        return asdict(self.filestore) if named and self.filestore is not None else None

    def _reference(self, connection: sa.Connection, one: Execution, kind: Kind, name: str) -> str | None:
        if not name:
            return None
        contents = objects.resolve(connection, Key(kind, one.configuration_id, name))
        if contents is None:
            shown = "ID" if kind == "id" else kind
            raise Missing(f"the {shown} {name} does not exist")
        return base64.b64encode(contents).decode("ascii")
