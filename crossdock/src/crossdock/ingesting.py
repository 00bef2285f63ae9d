"""Record the transfers that an agent of IBM MQ MFT wrote into its capture log."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Final

from crossdock import databases, environment
from crossdock.coordination import applied_qmgr
from mft_common.events.rabbit.foreign_queue import take_all
from mqmft_svc import SERVICE
from mqmft_svc.ingestion import TransferLog
from mqmft_svc.operations.recording import Recorder
from mqmft_svc.schemas.transferlog import MAX_MESSAGE
from mqmft_svc.settings import Settings

_AT_ONCE: Final = 50
_TOPICS: Final = b"system.fte/"
# A line holds a time and a topic before its message.
_LONGEST_LINE: Final = MAX_MESSAGE + 4096
_URL: Final = "MQMFT_DATABASE_URL"


def ingest(file: Path, data: Path, environ: Mapping[str, str], refuse: Callable[[int, str], None]) -> int:
    """Record the messages of a capture log in the database of a hub, and return how many lines held one.

    `refuse` is called with the number of each line that cannot be read, and the reason. CannotStart without a hub.
    """
    settings = Settings.from_env({**environ, **environment.database_urls(data, environ)})
    count = 0
    with databases.opened(SERVICE, _URL, data, environ) as database, file.open("rb") as lines:
        log = TransferLog(database, Recorder(database, settings, applied_qmgr(settings)), settings.transferlog_name)
        for batch in _batches(lines):
            count += len(batch)
            for one in take_all(log, [body for _number, body in batch]):
                refuse(batch[one.place][0], one.reason)
    return count


def _batches(opened: IO[bytes]) -> Iterator[list[tuple[int, bytes]]]:
    """Yield messages with the numbers of their lines, in batches."""
    batch: list[tuple[int, bytes]] = []
    for number, line in enumerate(_lines(opened), 1):
        _time, _, rest = line.partition(b"!")
        topic, _, body = rest.partition(b"!")
        # Requests to the agent are in the log as well, under the names of its queues.
        if topic.strip().lower().startswith(_TOPICS):
            batch.append((number, body))
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _lines(opened: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file; of a longer one than any message its beginning, which is refused for its size."""
    while line := opened.readline(_LONGEST_LINE):
        yield line
        while not line.endswith(b"\n") and (line := opened.readline(_LONGEST_LINE)):
            pass
