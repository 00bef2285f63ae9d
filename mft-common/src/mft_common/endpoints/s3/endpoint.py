"""The `s3:` endpoint: the objects of a bucket below a prefix, `/` in a key taken for a folder."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from mft_common.endpoints.closing import Closing
from mft_common.endpoints.contract import Checkpoint, Entry, Features, IfExists, Skipped, ignore
from mft_common.endpoints.errors import BadName, NotFound, Unsupported
from mft_common.endpoints.names import Patterns, check_path, printable
from mft_common.endpoints.s3.bucket import AT_ONCE, Bucket, time_of, version_of
from mft_common.endpoints.s3.parts import ROOM, Room, part_size
from mft_common.endpoints.s3.reader import S3Reader
from mft_common.endpoints.s3.uploads import read_name
from mft_common.endpoints.s3.writer import S3Writer
from mft_common.endpoints.targets import Target

_FEATURES: Final = Features(
    resume_read=True,
    resume_write=True,
    atomic_replace=True,
    modified_at=True,
    recursive=True,
    visible_at_commit=True,
    renaming=False,
    finds_unfinished=False,
    at_once=AT_ONCE,
)


def open_s3(target: Target, *, part: int | None = None) -> "S3Endpoint":
    """Open the prefix `folder` of the bucket `host`; `endpoint` is the store's URL, empty for Amazon's.

    `part` is the size of the parts in bytes, chosen by each file's size unless given. No request is sent before the
    first call.
    """
    return S3Endpoint(Bucket(target), part)


class S3Endpoint(Closing):
    """The objects below one prefix.

    `exclusive_create` is not claimed: of foreign stores some do not know the condition, and the request does not tell.
    """

    features = _FEATURES

    def __init__(self, bucket: Bucket, part: int | None = None, room: Room | None = None) -> None:
        self._bucket = bucket
        self._room = ROOM if room is None else room
        self._part = part

    def list(self, patterns: Patterns, *, recursive: bool = False, skipped: Skipped = ignore) -> Iterator[Entry]:
        """Yield the matching objects in the order of their keys, page by page."""
        prefix, after = self._bucket.prefix, ""
        while True:
            found, after = self._bucket.page(prefix, after, recursive=recursive)
            for each in found:
                path = str(each["Key"]).removeprefix(prefix)
                if path.endswith("/") or not path:
                    # The empty object that some programs make for a folder.
                    continue
                try:
                    check_path(path)
                except BadName as error:
                    skipped(path, str(error))
                    continue
                if patterns.match(path.rpartition("/")[2]):
                    yield Entry(path, int(each["Size"]), time_of(each), version_of(each))
            if not after:
                return

    def stat(self, path: str) -> Entry:
        """Ask for the object, then for objects below it."""
        if path:
            try:
                found = self._bucket.head(path)
            except NotFound:
                if not self._bucket.page(f"{self._bucket.key(path)}/", "", recursive=True, size=1)[0]:
                    raise
            else:
                return Entry(path, found.size, found.modified_at, found.version)
        return Entry(path, kind="folder")

    def open(self, entry: Entry, start: int = 0) -> S3Reader:
        """Send one request for the bytes from `start` on; the bucket sends one version of them, whatever happens."""
        return S3Reader(self._bucket, entry, start)

    def writer(
        self,
        path: str,
        *,
        token: str,
        size: int | None = None,
        resume: Checkpoint | None = None,
        modified_at: int | None = None,
        if_exists: IfExists = "replace",
    ) -> S3Writer:
        """Return a writer; the token and the time have no place in a bucket."""
        del token, modified_at
        part = self._part or part_size(size)
        return S3Writer(self._bucket, path, part=part, size=size, room=self._room, resume=resume, if_exists=if_exists)

    def rename(self, path: str, target: str) -> None:
        """Refuse: S3 has no rename."""
        del target
        raise Unsupported(f"{printable(path)}: a bucket cannot rename")

    def delete(self, entry: Entry, *, token: str) -> None:
        """Delete an object on the condition that it is still this version."""
        del token
        self._bucket.delete(entry.path, entry.version)

    def make_folder(self, path: str) -> None:
        """Refuse: a bucket has no folders, and a key may hold any."""
        raise Unsupported(f"{printable(path)}: a bucket has no folders")

    def sweep(self, token: str, temporaries: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Abort the unfinished uploads that `temporaries` name, and no others.

        A bucket lists uploads by key and id, and tells neither their metadata nor their owner's token. So without names
        there is nothing that could be aborted without harm to other writers of the same keys.
        """
        del token
        found = []
        for name in dict.fromkeys(temporaries):
            path, upload = read_name(name)
            # A name that is none of ours must not hold up the others.
            with suppress(BadName):
                if upload and self._bucket.abort(path, upload):
                    found.append(name)
        return tuple(found)

    def close(self) -> None:
        """Close the connections."""
        self._bucket.close()
