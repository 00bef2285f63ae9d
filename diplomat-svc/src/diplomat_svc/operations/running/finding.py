"""Find the files of a job, and end it where none is there or a required one is missing."""

import contextlib
from collections.abc import Sequence

from diplomat_svc.domain import states
from diplomat_svc.domain.states import Severity
from diplomat_svc.domain.transactions import Transaction
from diplomat_svc.operations.job_reports import JobReports
from diplomat_svc.operations.running.errors import EndedEarlyError
from mft_common.endpoints.contract import Endpoint, Entry
from mft_common.endpoints.errors import NotFound, Unsupported
from mft_common.endpoints.names import Patterns


def listed(source: Endpoint, definition: Transaction, reports: JobReports) -> tuple[list[Entry], list[str]]:
    """Return the files of the source that match and are old enough, and why others were skipped."""
    spec, skipped = definition.source, list[str]()
    if spec.only is not None:
        entries = _stored(source, spec.only)
    elif source.features.listing:
        entries = list(source.list(Patterns(spec.files), skipped=lambda _name, why: skipped.append(why)))
    else:
        entries = _named(source, spec.files)
    if spec.min_age:
        # A file whose time is unknown may be at work still: it is left alone.
        young = reports.job.began_at - int(spec.min_age * 1000)
        entries = [one for one in entries if one.modified_at is not None and one.modified_at <= young]
    return entries, skipped


def report_found(entries: Sequence[Entry], skipped: Sequence[str], reports: JobReports) -> None:
    """Report what was found, and what was passed over."""
    for why in skipped:
        reports.note(f"Skipped: {why}.", Severity.WARNING)
    reports.found(len(entries), sum(entry.size or 0 for entry in entries))


def check_complete(entries: Sequence[Entry], definition: Transaction, *, lost: bool) -> None:
    """End the job where nothing was found, a required file is missing, or names would be the same or empty (E26).

    With `lost` that is a failure in any case: files of an earlier attempt are gone that were not delivered.
    """
    strict = definition.fail_if_not_found or lost
    if not entries:
        raise EndedEarlyError(states.FAILURE if strict else states.NOT_FOUND, "No file was found.")
    for text in definition.source.required:
        pattern = Patterns([text])
        if not any(pattern.match(entry.name) for entry in entries):
            completion = states.FAILURE if strict else states.REQUIRED_NOT_FOUND
            raise EndedEarlyError(completion, f"The required file {text} was not found; nothing was moved.")
    if "" in (definition.destination.files, definition.compress.zip):
        raise EndedEarlyError(states.FAILURE, "The name at the destination is empty: a variable has no text.")
    if has_one_name(definition) and len(entries) > 1:
        raise EndedEarlyError(states.FAILURE, f"{len(entries)} files would have one name at the destination.")


def has_one_name(definition: Transaction) -> bool:
    """Return whether all files of a job would have the same name at the destination, and are not packed."""
    template = definition.destination.files
    return template is not None and "*" not in template and definition.compress.zip is None


def _stored(source: Endpoint, name: str) -> list[Entry]:
    """Return the file whose storing triggered the job; none where it is gone by now."""
    with contextlib.suppress(NotFound):
        return [source.stat(name)]
    return []


def _named(source: Endpoint, names: tuple[str, ...]) -> list[Entry]:
    """Return the files of these names at an endpoint that cannot list; a missing one is no error, a pattern is."""
    found = []
    for name in names:
        if "*" in name or "?" in name:
            raise Unsupported(f"{name}: this endpoint lists no files, so each has to be named")
        with contextlib.suppress(NotFound):
            found.append(source.stat(name))
    return found
