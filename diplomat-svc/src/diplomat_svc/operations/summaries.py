"""Describe a job in a text of many lines (2.4); the file names, the direction and the ends are the API's words."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from diplomat_svc import __version__
from diplomat_svc.domain.calendar import compact_time, long_time
from diplomat_svc.domain.jobs import FileRecord, Job
from diplomat_svc.domain.names import printable
from diplomat_svc.domain.states import COMPLETE, DELIVERED
from diplomat_svc.domain.transactions import DIRECTIONS, Archive, OpenPgp
from mft_common.endpoints.targets import without_query


@dataclass(frozen=True)
class Server:
    """The server as a summary names it: its host, its start in milliseconds, and the time zone of its logs."""

    host: str
    started_at: int
    zone: ZoneInfo


def summary(job: Job, files: Sequence[FileRecord], server: Server) -> str:
    """Return the summary of a job, in the order of item 45; of an active one as far as it is known (A48)."""
    return "\n".join(_lines(job, files, server))


def _lines(job: Job, files: Sequence[FileRecord], server: Server) -> Iterator[str]:
    definition, zone = job.definition, server.zone
    yield f'{DIRECTIONS[definition.direction]} transaction "{printable(definition.name)}", job {job.token}'
    yield f"Scheduled: {long_time(job.scheduled_at, zone)}"
    if job.status == COMPLETE and job.ended_at is not None:
        yield f"Status: {job.status}, {job.completion}, {long_time(job.ended_at, zone)}"
    else:
        yield f"Status: {job.status}"
    yield f"Files: {job.found} found, {job.successful} delivered, {job.failed} failed"
    yield from _section("Source", definition.source.url, (_file(file, zone) for file in files))
    yield from _protection(definition.openpgp)
    delivered = (
        f"{printable(file.source)} as {printable(file.destination)}" for file in files if file.completion in DELIVERED
    )
    yield from _section("Destination", definition.destination.url, delivered)
    for name in ("primary", "additional"):
        yield from _archive(name, definition.archive.named.get(name), files)
    yield f"Audit record: {_audit(job)}"
    yield f"Server: {server.host}, started {long_time(server.started_at, zone)}"
    yield f"Version: {__version__}"


def _protection(spec: OpenPgp | None) -> Iterator[str]:
    """Yield what was done with OpenPGP; keys by the names that the configuration gives them."""
    spec = spec or OpenPgp()
    form = " as text" if spec.armor else ""
    encrypted = f"for {', '.join(spec.encrypt)}{form}" if spec.encrypt else ""
    decrypted = f"decrypted with {spec.decrypt}" if spec.decrypt else ""
    yield f"Encryption: {encrypted or decrypted or 'none'}"
    verified = f"verified, by one of {', '.join(spec.verify)}" if spec.verify else ""
    yield f"Signature: {f'with {spec.sign}' if spec.sign else verified or 'none'}"


def _archive(name: str, archive: Archive | None, files: Sequence[FileRecord]) -> Iterator[str]:
    title = f"{name.capitalize()} archive"
    if archive is None:
        yield f"{title}: none"
        return
    copies = [(file, copy) for file in files for copy in file.archived.get(name, ())]
    lines = (f"{printable(file.source)} as {printable(copy)}" for file, copy in copies)
    yield from _section(f"{title} ({archive.content})", archive.url, lines)


def _audit(job: Job) -> str:
    if not job.definition.audit.record:
        return "none"
    return "written" if job.status == COMPLETE and job.audit == job.completion else "not written"


def _section(title: str, url: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"{title}: {printable(without_query(url))}"
    yield from (f"  {line}" for line in lines)


def _file(file: FileRecord, zone: ZoneInfo) -> str:
    modified = "" if file.modified_at is None else f", {compact_time(file.modified_at, zone)}"
    end = f", {file.completion}" if file.completion else ""
    return f"{printable(file.source)}{modified}, {file.size} bytes{end}"
