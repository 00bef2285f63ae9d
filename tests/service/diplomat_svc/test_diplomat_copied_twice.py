"""A copy whose worker was killed once it was in its archive, and before that was written down, has no double (E36)."""

import pytest

from tests.servers.diplomat_jobs import archive_of, log, tree
from tests.servers.processes import wait_until
from tests.service.diplomat_svc.cut_attempts import BOTH, LARGE, SEQUENCE, SLOW, configured, next_attempt
from tests.service.diplomat_svc.worker_program import kill, start_worker

SHAPES = {
    "binary": ({}, {"f": LARGE}),
    "ascii": ({"mode": "ascii"}, {"f": LARGE.replace(b"\r\n", b"\n")}),
    "zip": ({"compress": {"zip": "x.zip"}}, None),
    "unzip": ({"direction": "inbound", "compress": {"unzip": True}}, {"m": LARGE}),
}


def kill_after(made, path):
    """Run the job in a worker of its own, and kill -9 that once a copy has its name and before that is written."""
    worker = start_worker(made)
    try:
        made.run("one")
        wait_until(lambda: list(path.parent.glob(".*.part")), every=0.002, what="the copy is being written")
        # With the lock of the database held, the worker cannot write what its child reports.
        with made.service.database.write():
            wait_until(path.exists, what="the copy")
            kill(worker)
    finally:
        kill(worker)


@pytest.mark.parametrize(("shape", "which"), [("binary", "originals"), *((shape, "delivered") for shape in SHAPES)])
def test_a_copy_that_was_made_and_not_written_down_is_not_made_again(hub, transaction, runner, shape, which):
    """The next attempt finds the copy of the same content under the name with the job's sequence, and tells of it."""
    more, delivered = SHAPES[shape]
    content = archive_of({"m": LARGE}) if shape == "unzip" else LARGE
    made = configured(hub, {"f": content}, transaction("one", archive=BOTH, **SLOW, **more))
    name = {"zip": f"x-{SEQUENCE}.zip", "unzip": f"m-{SEQUENCE}"}.get(shape, f"f-{SEQUENCE}")
    names = {"originals": f"originals/f-{SEQUENCE}", "delivered": f"delivered/{name}"}
    kill_after(made, made.data / "archive" / names[which])
    assert next_attempt(made) == "Successful", log(made)
    found = tree(made.data / "archive")
    assert set(found) == set(names.values())
    assert found[names["originals"]] == content
    if delivered is not None:
        assert found[names["delivered"]] == next(iter(delivered.values()))
    assert tree(made.data / "from") == {}
    (file,) = made.rows("SELECT archived FROM files")
    assert all(path.rpartition("/")[2] in file.archived for path in names.values())


def test_another_file_of_that_name_is_left_and_the_copy_gets_a_number(hub, transaction, runner):
    """It has another content: an archive replaces nothing."""
    made = configured(hub, {"f": LARGE}, transaction("one", archive=BOTH, **SLOW))
    path = made.data / "archive" / "originals" / f"f-{SEQUENCE}"
    kill_after(made, path)
    path.write_bytes(LARGE[::-1])
    assert next_attempt(made) == "Successful", log(made)
    assert {key: value for key, value in tree(made.data / "archive").items() if key.startswith("originals")} == {
        f"originals/f-{SEQUENCE}": LARGE[::-1],
        f"originals/f-{SEQUENCE}-1": LARGE,
    }
