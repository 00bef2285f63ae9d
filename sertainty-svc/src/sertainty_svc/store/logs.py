"""Append to the logs of the agent and of tasks; they are rendered as XML on request (10.6).

The text of a record is a JSON object: `text`, and the attributes of its entry that have a value.
"""

import json
from typing import Final, Literal

import sqlalchemy as sa

from sertainty_svc.store.tables import AGENT_LOG, TASK_LOG, agent

Level = Literal["Info", "Warning", "Error"]
_NAME: Final = sa.select(agent.c.log)


def append_to_agent(
    connection: sa.Connection,
    at: int,
    event: str,
    text: str,
    *,
    level: Level = "Info",
    user: str = "",
    address: str = "",
    config: str = "",
) -> None:
    """Append an entry to the agent's latest log, also while the agent is offline (74); nothing before its first start.

    `event` is a constant name such as `config.activated`. No session id, answer, key or content is ever given (28).
    """
    name = connection.execute(_NAME).scalar_one()
    if name:
        values: dict[str, str | int] = {"event": event, "user": user, "address": address, "config": config}
        AGENT_LOG.append(connection, name, at, level, _record(text, values))


def append_to_task(
    connection: sa.Connection,
    subject: str,
    number: int,
    at: int,
    text: str,
    *,
    level: Level = "Info",
    file: str = "",
    stream: str = "",
) -> None:
    """Append an entry to the log of a task, whose `StoredTask.log` is the subject, for its execution `number`."""
    TASK_LOG.append(connection, subject, at, level, _record(text, {"number": number, "file": file, "stream": stream}))


def _record(text: str, values: dict[str, str | int]) -> str:
    return json.dumps({"text": text, **{name: value for name, value in values.items() if value != ""}})
