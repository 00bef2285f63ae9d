"""A worker over the runner, the engine and leases, as a program that the tests kill.

It reads orders from its input, one JSON object a line, and writes what happens to its output. The first line is the
order of the former worker, or null: orders hold secrets, and no database does. What a later worker must know besides is
in a SQLite database before the child goes on.
"""

import json
import os
import secrets
import sys
import threading
import time
from pathlib import Path

import sqlalchemy as sa

from mft_common.database.leases import Leases
from mft_common.process.runner import Runner, child_environment

_TTL = 30.0
_CHILD = "tests.servers.move_child"
_METADATA = sa.MetaData()
_LEASES = Leases(_METADATA)
_MOVES = sa.Table(
    "moves",
    _METADATA,
    sa.Column("token", sa.String(64), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("temporaries", sa.JSON, nullable=False),
    sa.Column("checkpoint", sa.JSON),
    sa.Column("delivered", sa.JSON),
)


class Worker:
    """One worker; what it holds by its lease is what it may write."""

    def __init__(self, path: Path, runner: Runner) -> None:
        self._engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})
        _METADATA.create_all(self._engine)
        self._runner = runner
        with self._engine.begin() as connection:
            # The former worker on this database is dead: the test has killed it.
            _LEASES.forget(connection, *_LEASES.lapsed(connection, everyone=True))
            self._lease = _LEASES.claim(connection, "worker", secrets.token_hex(16), _TTL)

    def recover(self, order: dict | None) -> None:
        """Clean up or go on with what a dead worker had begun."""
        with self._engine.begin() as connection:
            lost = connection.execute(sa.select(_MOVES).where(_MOVES.c.state == "running")).mappings().all()
        for row in lost:
            assert order is not None
            assert order["token"] == row["token"]
            self._recover(order, dict(row))

    def run(self, order: dict) -> None:
        """Run one move in a child to its end."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(_MOVES).where(_MOVES.c.token == order["token"]))
            connection.execute(sa.insert(_MOVES).values(token=order["token"], state="running", temporaries=[]))
        self._run(order, None)

    def _run(self, order: dict, resume: dict | None) -> None:
        def hear(kind, data):
            return self._hear(order["token"], kind, data)

        handle = self._runner.run(f"{_CHILD}:move", {**order, "resume": resume}, hear)
        while not handle.pid and handle.wait(0.001) is None:
            pass
        say("child", pid=handle.pid)
        end = handle.wait()
        assert end is not None
        if end.completed:
            self._write(order["token"], state="done")
            say("ended", completed=True, result=end.result)
            return
        with self._engine.begin() as connection:
            row = connection.execute(sa.select(_MOVES).where(_MOVES.c.token == order["token"])).mappings().one()
        refusal = "" if end.refusal is None else repr(end.refusal)
        problem = self._recover({**order, "resumes": False}, dict(row)) if end.exit_code != 1 else ""
        say("ended", completed=False, reason=end.reason, error=end.error, refusal=refusal, problem=problem)

    def _recover(self, order: dict, row: dict) -> str:
        if order["resumes"] and row["checkpoint"] and row["delivered"] is None:
            say("goes on", at=row["checkpoint"]["position"])
            self._run(order, row["checkpoint"])
            return ""
        payload = {**order, "temporaries": row["temporaries"], "delivered": row["delivered"]}
        end = self._runner.run(f"{_CHILD}:recover", payload, lambda _kind, _data: None).wait(60)
        assert end is not None
        problem = end.result if end.completed else end.reason
        self._write(order["token"], state="lost")
        say("recovered", problem=problem)
        return problem

    def _hear(self, token: str, kind: str, data) -> object:
        if kind == "begins":
            with self._engine.begin() as connection:
                found = connection.execute(sa.select(_MOVES.c.temporaries).where(_MOVES.c.token == token)).scalar_one()
            self._write(token, temporaries=sorted({*found, data}))
        elif kind == "checkpoint":
            self._write(token, checkpoint=data)
        elif kind == "delivered":
            self._write(token, delivered=data)
        elif kind == "may_commit":
            self._write(token, state="running")
        say(kind)
        return True

    def _write(self, token: str, **values: object) -> None:
        with self._engine.begin() as connection:
            _LEASES.hold(connection, self._lease)
            _LEASES.renew(connection, self._lease)
            connection.execute(sa.update(_MOVES).where(_MOVES.c.token == token).values(**values))


def say(what: str, **more: object) -> None:
    """Write one line to the test, in one call: two threads do."""
    os.write(sys.stdout.fileno(), json.dumps({"what": what, "at": time.monotonic(), **more}).encode() + b"\n")


def main() -> None:
    """Recover, then run one order after another."""
    modules = [_CHILD, "asyncssh", "boto3", *(f"mft_common.endpoints.{kind}" for kind in ("sftp", "ftp", "s3", "http"))]
    with Runner("move-worker", modules, environment=child_environment(os.environ)) as runner:
        worker = Worker(Path(sys.argv[1]), runner)
        worker.recover(json.loads(sys.stdin.readline()))
        say("ready")
        for line in sys.stdin:
            worker.run(json.loads(line))


if __name__ == "__main__":
    assert threading.active_count() == 1
    main()
