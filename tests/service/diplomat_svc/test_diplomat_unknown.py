"""Files of which it is not known whether they were delivered: neither sent twice nor deleted (E18, E24)."""

import contextlib

import pytest

from tests.servers.diplomat_jobs import archive_of
from tests.servers.processes import wait_until
from tests.servers.web import Web


class Drop:
    """A web server into which an account may put files that are not there, and may not look at any.

    The first answer to each name in `lost` is lost after the file was stored, and that to each in `refused` is 507.
    """

    def __init__(self, *, lost=(), refused=()):
        self.files, self.lost, self.refused = {}, set(lost), set(refused)
        self.puts = []

    def __call__(self, request):
        body, name = request.body(), request.path.rpartition("/")[2]
        if request.command != "PUT":
            request.answer(403)
        elif name in self.refused:
            self.refused.remove(name)
            request.answer(507)
        elif request.headers.get("If-None-Match") == "*" and name in self.files:
            request.answer(412)
        else:
            self.files[name] = body
            self.puts.append(name)
            if name in self.lost:
                self.lost.remove(name)
                return
            request.answer(201)


@pytest.fixture
def dropped(hub, transaction):
    """Return a function that makes a hub with files to be put into a `Drop`, and `more` of its transaction."""
    with contextlib.ExitStack() as running:

        def make(drop, *names, **more):
            server = running.enter_context(Web(drop))
            given = {"url": "endpoint:drop", "if_exists": "fail", **more.pop("destination", {})}
            one = transaction("one", destination=given, delete_source=True, **more)
            made = hub(one, endpoints={"drop": {"url": f"{server.url}/in"}}).log_in()
            for name in names:
                (made.data / "from" / name).write_bytes(name.encode())
            return made

        yield make


def ends(made):
    """Return the completions of the files of all jobs by their names."""
    return {row.source: row.completion for row in made.rows("SELECT source, completion FROM files")}


def log(made):
    """Return the texts of the log of all jobs."""
    return [row.text for row in made.rows("SELECT text FROM job_log ORDER BY id")]


def test_a_file_of_unknown_outcome_ends_incomplete_and_keeps_its_source_e18_e24(dropped):
    """Neither the file nor the job is told as a success or a failure; the log says that it may be there."""
    drop = Drop(lost=["a"])
    made = dropped(drop, "a", "b")
    with made.work():
        made.run("one")
        job = made.finished("one")
        assert job.findtext("completionStatus") == "Incomplete"
        wait_until(lambda: not made.rows("SELECT 1 FROM sweeps"))
    assert ends(made) == {"a": "Incomplete", "b": "Successful"}
    assert sorted(path.name for path in (made.data / "from").iterdir()) == ["a"]
    assert (drop.files, drop.puts) == ({"a": b"a", "b": b"b"}, ["a", "b"])
    assert any("Unknown: a: it is not known whether it was delivered" in text for text in log(made)), log(made)
    assert any("Whether a was delivered as a could not be found out" in text for text in log(made)), log(made)
    assert any("It is not known whether 1 file(s) were delivered." in text for text in log(made)), log(made)


@pytest.mark.parametrize("packed", [False, True])
def test_the_next_attempt_does_not_deliver_it_again_e14(dropped, packed):
    """Another file of the job failed, and is delivered by the next attempt: that of unknown outcome is left alone."""
    drop = Drop(lost=["all.zip" if packed else "a"], refused=["b"])
    more = {"compress": {"zip": "all.zip"}} if packed else {}
    made = dropped(drop, "a", "b", retries={"file": 1, "file_delay": "10ms", "job": 1, "job_delay": "0s"}, **more)
    with made.work():
        made.run("one")
        job = made.finished("one")
    assert job.findtext("completionStatus") == "Incomplete"
    if packed:
        assert drop.puts == ["all.zip"]
        assert ends(made) == {"a": "Incomplete", "b": "Incomplete"}
        return
    assert drop.puts == ["a", "b"]
    assert ends(made) == {"a": "Incomplete", "b": "Successful"}
    assert any("Attempt 1 failed." in text for text in log(made))
    assert any("a was left where it is: an earlier attempt may have delivered it." in text for text in log(made))
    assert sorted(path.name for path in (made.data / "from").iterdir()) == ["a"]


def test_a_file_of_unknown_outcome_gets_no_other_number(dropped):
    """With `if_exists: number` a refusal because of our own file would deliver it twice, under two names."""
    drop = Drop(lost=["a"])
    made = dropped(drop, "a", destination={"if_exists": "number"})
    with made.work():
        made.run("one")
        assert made.finished("one").findtext("completionStatus") == "Incomplete"
    assert drop.puts == ["a"]


@pytest.mark.parametrize("if_exists", ["fail", "number"])
def test_a_member_of_unknown_outcome_is_not_delivered_again_e14_e35(dropped, if_exists):
    """The archive and the job end incomplete, the members around it are delivered, and the archive keeps its source."""
    drop = Drop(lost=["b"], refused=["d"])
    retries = {"file": 1, "file_delay": "10ms", "job": 1, "job_delay": "0s"}
    made = dropped(
        drop, "x", direction="inbound", compress={"unzip": True}, retries=retries, destination={"if_exists": if_exists}
    )
    content = archive_of({name: name.encode() for name in "abcd"})
    (made.data / "from" / "x").write_bytes(content)
    with made.work():
        made.run("one")
        job = made.finished("one")
        wait_until(lambda: not made.rows("SELECT 1 FROM sweeps"))
    assert (job.findtext("completionStatus"), ends(made)) == ("Incomplete", {"x": "Incomplete"})
    assert drop.puts == ["a", "b", "c"]
    assert (made.data / "from" / "x").read_bytes() == content
    (text,) = [text for text in log(made) if "Unknown: " in text]
    assert "Unknown: x: it is not known whether 1 of 4 members arrived, the first of them b: it is not known" in text
    assert "; 1 of 4 members did not arrive, the first of them d: " in text
    assert not any("at the destination" in text for text in log(made)), (
        "nothing is told of a file named like the archive"
    )
