"""Tasks that wait after a fault of their own, and the calls after which they try again at once."""

import json

import pytest
import sqlalchemy as sa

from sertainty_svc.domain.tasks import Action, Folders, TaskDefinition, TaskType
from sertainty_svc.store.tables import WATCHES, agent, configuration, task


@pytest.fixture
def waiting(hub):
    """The ids of a waiting task of the active configuration, and of one of another configuration."""
    ids = []
    with hub.service.database.write() as connection:
        for name in ("night", "day"):
            made = sa.insert(configuration).values(name=name, tasks=b"", account="operator", saved_at=1)
            owner = connection.execute(made.returning(configuration.c.id)).scalar_one()
            definition = TaskDefinition(
                name="seal", type=TaskType.CHANGE, action=Action.SCRIPT, script="x.py", folders=Folders(source="in")
            )
            values = {
                "configuration": owner,
                "name": "seal",
                "position": 0,
                "paused": False,
                "retry_at": hub.now + 9999,
            }
            added = sa.insert(task).values(**values, definition=json.dumps(definition.to_json()))
            ids.append(connection.execute(added.returning(task.c.id)).scalar_one())
        night = sa.select(configuration.c.id).where(configuration.c.name == "night").scalar_subquery()
        connection.execute(sa.update(agent).values(active=night))
    return ids


@pytest.mark.parametrize(
    "call",
    [
        ("sharedSaveScript", "x.py", "print()"), ("configSaveScript", "night", "x.py", "print()"),
        ("sharedSaveID", "x.iic", "no ID"), ("configSaveID", "night", "x.iic", "no ID"),
        ("sharedNewID", "x.iic"), ("configNewID", "night", "x.iic"),
    ],
    ids=lambda call: call[0],
)  # fmt: skip
def test_78_86_a_saved_id_or_script_lets_tasks_try_again_at_once(hub, waiting, call):
    """Items 78 and 86: the tasks of the active configuration alone, whose source is scanned soon."""
    assert hub.call(*call, session=hub.login()).status == 1
    with hub.service.database.write() as connection:
        rows = {row.id: row.retry_at for row in connection.execute(sa.select(task.c.id, task.c.retry_at))}
        assert WATCHES.take_woken(connection) == ["file:in"]
    assert rows == {waiting[0]: None, waiting[1]: hub.now + 9999}
