"""A job before its first file: it opens both ends and lists the source, with growing pauses between tries."""

from pathlib import Path
from unittest.mock import Mock

import pytest

from diplomat_svc.domain.jobs import FileRecord
from diplomat_svc.domain.states import FAILURE, SUCCESSFUL
from diplomat_svc.domain.transactions import Destination, Retries, Source, Transaction
from diplomat_svc.operations import file_changes
from diplomat_svc.operations.file_messages import FileEnd
from diplomat_svc.operations.file_report import FileReport
from diplomat_svc.operations.job_order import JobOrder
from diplomat_svc.operations.running import Run
from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import Transient
from mft_common.endpoints.names import temporary_name
from mft_common.ids import TransferIds


class _Reports:
    """The reports of a job, kept."""

    def __init__(self, job):
        self.job, self.notes = job, []

    def note(self, text, severity):
        """See JobReports."""
        self.notes.append((text, severity))


class _Away:
    """Endpoints that cannot be reached."""

    def open(self, url, transfer_id, *, create, text):
        """See Endpoints."""
        raise Transient("nothing answers")


class _Pauses:
    """An interrupt that never comes; the pauses that it is waited for are kept."""

    def __init__(self):
        self.waited = []

    def wait(self, timeout):
        """See Interrupt."""
        self.waited.append(timeout)
        return False

    def is_set(self):
        """See Interrupt."""
        return False


def test_pauses_before_the_first_file_grow_to_ten_minutes_e22():
    """As those of files do: after many tries the next one is still within reach."""
    definition = Transaction(
        name="one", direction="outbound", source=Source(url="file:a", files=("*",)), destination=Destination(url="f:"),
        retries=Retries(file=100, file_delay=5.0),
    )  # fmt: skip
    order = JobOrder(sequence=1, transfer_id="0", definition=definition, variables={}, began_at=0)
    reports, pauses = _Reports(order), _Pauses()
    assert Run(reports, _Away(), pauses, private=Path("none")).run() == (FAILURE, "nothing answers")
    assert pauses.waited[:8] == [5, 10, 20, 40, 80, 160, 320, 600]
    assert len(pauses.waited) == len(reports.notes) == 100
    assert max(pauses.waited) == 600


@pytest.mark.parametrize("last", [False, True])
def test_the_name_of_an_unfinished_copy_that_is_kept_stays_known_b15(last):
    """A bucket's upload has no name but this one: the attempt after could not remove it without."""
    order = JobOrder(sequence=1, transfer_id="0", definition=None, variables={}, began_at=0, last=last)
    reports = Mock(job=order)
    report = FileReport(reports, 0, Entry("a"), "a")
    report.begins("a?uploadId=1")
    report.failed(Transient("cut"))
    assert reports.end_files.call_args.args[0].finished == ("a?uploadId=1" if last else "")


def test_the_copies_of_tries_before_the_one_that_succeeded_stay_known_b15():
    """Their removal may have failed: a bucket whose parts were on their way still has the upload."""
    record = FileRecord(place=0, source="a", destination="a", size=1, began_at=1, temporaries=("a?1", "a?2", "a?3"))
    end = FileEnd(place=0, completion=SUCCESSFUL, text="Delivered.", retries=1, finished="a?2")
    assert file_changes.ended(record, end, 2).temporaries == ("a?1", "a?3")
    again = file_changes.ended(file_changes.ended(record, end, 2), end, 3)
    assert again.temporaries == ("a?1", "a?3"), "the same end again removes no further name"


def test_jobs_of_one_sequence_at_two_hubs_have_different_temporary_files_e20():
    """They may deliver into one folder of a partner, at the same time."""
    ids = TransferIds("QM1").new(), TransferIds("QM1").new()
    orders = [JobOrder(sequence=1, transfer_id=one, definition=None, variables={}, began_at=0) for one in ids]
    names = [temporary_name("f", order.token) for order in orders]
    assert names[0] != names[1]
    assert all(name.startswith(".f.0000000000000001") for name in names)
