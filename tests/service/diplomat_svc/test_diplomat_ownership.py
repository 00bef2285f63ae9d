"""Names of any kind through URL and XML and back, progress as events, and a worker that lost its job."""

import itertools
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.servers.processes import wait_until

NAMES = st.lists(
    st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=40).filter(str.strip),
    min_size=1,
    max_size=8,
    unique=True,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(NAMES, st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=40).filter(str.strip))
def test_any_name_goes_through_url_and_xml_and_back_14(hub, transaction, tmp_path_factory, names, user_id):
    """Names and labels with markup, blanks and any script come back as they went in, but for what XML forbids."""
    made = hub(*(transaction(name) for name in names), data=tmp_path_factory.mktemp("names"))
    made.log_in(user_id=user_id)
    for name in names:
        made.run(name)
    root = made.call("transactionStatuses").root
    shown = [one.findtext("jobHistory/transactionName") for one in root.iter("transactionStatus")]
    assert shown == [name.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd") for name in names]
    records = made.rows("SELECT text FROM job_log")
    assert all(len(row.text.splitlines()) == 1 and row.text.endswith("]") for row in records)


def test_progress_is_published_once_a_second_with_growing_bytes_e5(hub, transaction):
    """A job of some seconds publishes its progress, in absolute numbers that only grow."""
    made = hub(transaction("slow", bandwidth="40KiB/s")).log_in()
    (made.data / "from" / "f").write_bytes(bytes(100 * 1024))
    with made.work():
        made.run("slow")
        made.finished("slow")
    rows = made.rows("SELECT data, time FROM outbox WHERE type = 'transfer.progressed.v1' ORDER BY position")
    sent = [json.loads(row.data)["totals"]["bytes_sent"] for row in rows]
    assert sent
    assert sent == sorted(sent)
    assert all(after.time - before.time >= 900 for before, after in itertools.pairwise(rows))


def test_a_worker_that_lost_its_job_delivers_nothing_e13(hub, transaction):
    """A job that was ended by another while its bytes moved never gets its file under the final name."""
    made = hub(transaction("slow", bandwidth="200B/s", delete_source=True)).log_in()
    (made.data / "from" / "f").write_bytes(bytes(300))
    with made.work():
        made.run("slow")
        wait_until(lambda: list((made.data / "to").iterdir()))
        with made.service.database.write() as connection:
            connection.exec_driver_sql("UPDATE jobs SET status = 'Complete', completion = 'Incomplete', owner = NULL")
            # As a recovery does.
            connection.exec_driver_sql("INSERT INTO sweeps (sequence, tries, due_at) VALUES (1, 0, 0)")
        wait_until(lambda: not list((made.data / "to").iterdir()))
    assert list((made.data / "to").iterdir()) == []
    assert (made.data / "from" / "f").exists()
    assert made.rows("SELECT count(*) AS n FROM outbox WHERE type = 'transfer.ended.v1'")[0].n == 0


@pytest.mark.parametrize("raw", [b"caf\xe9.txt", b"a\nb", b">x"])
def test_a_file_name_of_any_bytes_is_delivered_and_shown_a60(hub, transaction, raw):
    """Bytes that are no UTF-8 are delivered as they are, and shown with U+FFFD."""
    made = hub(transaction("one")).log_in()
    import os

    name = os.fsdecode(raw)
    (made.data / "from" / name).write_bytes(b"x")
    with made.work():
        made.run("one")
        job = made.finished("one")
    assert job.findtext("completionStatus") == "Successful"
    assert job.findtext("fileHistory/source") == raw.decode("utf-8", "replace")
    assert (made.data / "to" / name).read_bytes() == b"x"
