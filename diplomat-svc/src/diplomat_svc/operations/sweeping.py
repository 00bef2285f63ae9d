"""Tell a sweeper which temporary files jobs have left, and write down what its children have found (E14, E18, E27)."""

from collections.abc import Callable, Mapping, Sequence

import sqlalchemy as sa

from diplomat_svc.domain.states import Severity
from diplomat_svc.operations.job_child import SWEEP
from diplomat_svc.operations.job_order import JobOrder
from diplomat_svc.operations.job_writer import JobWriter
from diplomat_svc.operations.name_pages import page_of
from diplomat_svc.store import jobs
from diplomat_svc.store import sweeps as store
from diplomat_svc.store.tables import SWEEPS
from mft_common.database.sweeps import Claimed
from mft_common.dispatch import RemovalOrder
from mft_common.endpoints.registry import Endpoints
from mft_common.process.runner import Json


class JobRemovals:
    """The temporary files of jobs, as the removals of a sweeper; jobs of one destination wait for each other."""

    sweeps = SWEEPS
    target = SWEEP

    def __init__(self, writer: JobWriter, endpoints: Callable[[], Endpoints]) -> None:
        self._writer = writer
        self._endpoints = endpoints

    def places(self, connection: sa.Connection, keys: Sequence[int]) -> Mapping[int, str]:
        """Return the destinations of jobs."""
        return store.destinations(connection, keys)

    def order(self, connection: sa.Connection, claimed: Claimed[int]) -> RemovalOrder:
        """Return what the child gets to remove the temporary files of a job, whose names it asks for."""
        left = store.left_by(connection, claimed.key)
        definition = left.job.definition
        used = self._endpoints().only(definition.source.url, *definition.written_urls)
        payload = {
            "job": JobOrder.of(left.job, 0).to_json(),
            "endpoints": used.to_json(),
            # Once: what is compared for long must not hold up the removal again and again. An archive that is unpacked
            # is not at the destination.
            "unrecorded": left.unrecorded if claimed.tries == 1 and not definition.compress.unzip else (),
        }
        return RemovalOrder(payload, lambda _kind, data: page_of(left.temporaries, data["start"]))

    def ended(self, connection: sa.Connection, claimed: Claimed[int], problem: str, result: Json) -> bool:
        """Add what was found out to the job's log; the removal is tried until it has no problem."""
        findings = () if result is None else result["findings"]
        if findings:
            job = jobs.load(connection, claimed.key)
            for text in findings:
                self._writer.record(connection, job, text, Severity.WARNING)
        return not problem
