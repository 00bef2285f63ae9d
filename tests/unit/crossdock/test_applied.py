"""A service of a process that outlives changes of the configuration."""

from pathlib import Path

import pytest

from crossdock.applied import AppliedFile, AppliedService
from mft_common.config import Reader


class Service:
    """A service that answers with its name."""

    def __init__(self, name):
        self.name = name
        self.closed = False

    def close(self):
        self.closed = True


def application(service):
    def answer(_environ, start_response):
        start_response("200 OK", [])
        return [service.name.encode()]

    return answer


@pytest.fixture
def file(tmp_path):
    made = AppliedFile(tmp_path / "applied.yaml")
    made.write({"http_mft": {"name": "first"}}, Reader(tmp_path, {}))
    return made


@pytest.fixture
def elsewhere(tmp_path):
    """Return the same file as the supervisor has it, which writes each new configuration."""
    return AppliedFile(tmp_path / "applied.yaml")


class Worker:
    """The applied service, with the services that it has built; `failing` is raised by the next build."""

    def __init__(self, file):
        self.first = Service("first")
        self.built = []
        self.readers = []
        self.failing = None
        self.service = AppliedService(
            self.first, file=file, reader=Reader(Path(), {"A": "1"}), build=self.build, application=application
        )

    def build(self, document, reader):
        if self.failing is not None:
            raise self.failing
        self.readers.append(reader)
        self.built.append(Service(document["http_mft"]["name"]))
        return self.built[-1]

    def ask(self):
        """Send a request; return its status and its open body."""
        heads = []
        body = self.service({}, lambda status, _headers: heads.append(status))
        return heads[0], body


@pytest.fixture
def worker(file):
    return Worker(file)


def read(answer):
    status, body = answer
    content = b"".join(body)
    if hasattr(body, "close"):
        body.close()
    return status, content.decode()


def test_the_first_service_answers_while_the_configuration_stays(worker):
    """A configuration that the process has already is not built again."""
    assert read(worker.ask()) == read(worker.ask()) == ("200 OK", "first")
    assert worker.built == []


def test_the_next_request_is_answered_by_the_configuration_that_was_applied(worker, elsewhere, tmp_path):
    """The reader of the new one looks in the folder of its file, and in the environment of the process."""
    elsewhere.write({"http_mft": {"name": "second"}}, Reader(tmp_path / "own", {}, demo=True))
    assert read(worker.ask()) == read(worker.ask()) == ("200 OK", "second")
    (reader,) = worker.readers
    assert (reader.folder, reader.environ, reader.demo) == (tmp_path / "own", {"A": "1"}, True)


def test_a_service_is_closed_after_its_last_request_and_the_first_one_never(worker, elsewhere, tmp_path):
    """Requests that began before a change are answered to their end."""
    elsewhere.write({"http_mft": {"name": "second"}}, Reader(tmp_path, {}))
    running = worker.ask()
    elsewhere.write({"http_mft": {"name": "third"}}, Reader(tmp_path, {}))
    assert read(worker.ask()) == ("200 OK", "third")
    second, third = worker.built
    assert not second.closed
    assert read(running) == ("200 OK", "second")
    assert second.closed
    worker.service.close()
    assert third.closed
    assert not worker.first.closed


def test_a_configuration_that_cannot_be_used_now_is_tried_again(worker, elsewhere, tmp_path):
    """The answer is 503 meanwhile: an upload must not pass by the limits that were applied."""
    elsewhere.write({"http_mft": {"name": "second"}}, Reader(tmp_path, {}))
    worker.failing = OSError("the database is away")
    assert read(worker.ask()) == read(worker.ask()) == ("503 Service Unavailable", "")
    worker.failing = None
    assert read(worker.ask()) == ("200 OK", "second")
