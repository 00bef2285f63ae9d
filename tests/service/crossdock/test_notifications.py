"""`crossdock notification list|retry` over a hub's database."""

import json

import pytest
from click.testing import CliRunner

from crossdock.command import main
from diplomat_svc.store.tables import NOTIFICATIONS, open_database
from mft_common.notify import mail


@pytest.fixture
def database(tmp_path):
    """The database of a hub with two mails, the first of which was given up."""
    made = open_database(f"sqlite:///{tmp_path}/state/diplomat-svc/diplomat.db")
    with made.write() as connection:
        NOTIFICATIONS.add(connection, *mail(["a@x.test", "b@x.test"], "one: Failure", "text", 1_790_000_000_000))
        taken, _ = NOTIFICATIONS.claim(connection, 1, 2, 8)
        NOTIFICATIONS.failed(connection, taken, "the mail server answered 550", 3, over=True)
    yield made
    made.close()


def _run(tmp_path, *arguments):
    result = CliRunner().invoke(main, ["notification", *arguments, "--data", str(tmp_path)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_notifications_that_were_given_up_are_listed_e43(database, tmp_path):
    """A line tells receiver, title, attempts and reason; --waiting lists the others."""
    head, line = _run(tmp_path, "list").splitlines()
    assert head.split("\t") == ["ID", "KIND", "RECEIVER", "TITLE", "CREATED", "ATTEMPTS", "REASON"]
    assert line.split("\t")[1:] == [
        "mail", "a@x.test", "one: Failure", "2026-09-21T14:13:20.000Z", "1", "the mail server answered 550",
    ]  # fmt: skip
    (waiting,) = json.loads(_run(tmp_path, "list", "--waiting", "--format", "json"))
    assert waiting["receiver"] == "b@x.test"


def test_a_notification_is_tried_again_by_its_id_e43(database, tmp_path):
    """It leaves the list of those that were given up; an unknown id changes nothing."""
    _, line = _run(tmp_path, "list").splitlines()
    assert _run(tmp_path, "retry", "unknown") == "0 tried again\n"
    assert _run(tmp_path, "retry", line.split("\t")[0]) == "1 tried again\n"
    assert len(_run(tmp_path, "list").splitlines()) == 1
    assert len(_run(tmp_path, "list", "--waiting").splitlines()) == 3
