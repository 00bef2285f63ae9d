"""Hold the records of the files that earlier attempts of a job began, until the next attempt has asked for each."""

from collections.abc import Iterable

from diplomat_svc.domain.jobs import FileRecord
from diplomat_svc.domain.states import FAILURE, SUCCESSFUL, WARNING
from diplomat_svc.operations.file_messages import FileEnd


class EarlierRecords:
    """The records of earlier attempts. Names whose bytes are no UTF-8 may be stored alike, and have several."""

    def __init__(self, records: Iterable[FileRecord]) -> None:
        self._by_name: dict[str, list[FileRecord]] = {}
        for record in records:
            self._by_name.setdefault(record.source, []).append(record)

    @property
    def left(self) -> list[FileRecord]:
        """The records that were not taken: their files are gone."""
        return [record for records in self._by_name.values() for record in records]

    def take(self, name: str, version: str) -> FileRecord | None:
        """Remove and return the record of a file that is listed with this version; None where it is a new file.

        Of several it is that of the version, else the first that is not delivered, for a delivered one is of another
        file. A listing without versions has the order of the records.
        """
        records = self._by_name.get(name)
        if not records:
            return None
        same = [one for one in records if version and one.version == version]
        others = [one for one in records if version and not one.delivered]
        record = (same or others or records)[0]
        records.remove(record)
        return record


def end_of_gone(file: FileRecord) -> FileEnd | None:
    """Return how a file of an earlier attempt ends whose source is gone; None where nothing changes for it."""
    if file.completion is None:
        text = f"Failed: {file.source} is gone since an earlier attempt; it may be delivered, and then whole."
        return FileEnd(place=file.place, completion=FAILURE, text=text, retries=file.retries)
    if file.copies_pending == SUCCESSFUL == file.completion:
        text = f"{file.source} is gone since an earlier attempt delivered it; not all its copies are archived."
        return FileEnd(place=file.place, completion=WARNING, text=text, retries=file.retries)
    return None
