"""Implement the store of contents over a bucket."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from filestore_svc.store.blobs import PAGE
from filestore_svc.store.bucket.assembly import BucketWhole
from filestore_svc.store.bucket.client import BucketClient
from filestore_svc.store.bucket.partials import BucketPartial
from filestore_svc.store.bucket.reader import BucketReader
from filestore_svc.store.bucket.staging import BucketStaging
from filestore_svc.store.partials import Check, Digested, Watch
from mft_common import logs

_ABANDONED_S: Final = 3600.0


class BucketBlobs:
    """Contents as objects `blobs/<fileset>`, resumable uploads below `partial/`, all below the bucket's prefix."""

    outlives_removal = False

    def __init__(self, client: BucketClient, *, page: int = PAGE) -> None:
        self._client = client
        self._page = page

    def stage(self, fileset: int, *, md5: bool = False) -> BucketStaging:
        """Begin a content."""
        return BucketStaging(self._client, fileset, md5=md5)

    def keep(self, staging: BucketStaging | BucketWhole) -> None:
        """Return when the bucket has acknowledged the object."""
        staging.keep()

    def resume(self, upload: str, offset: int, check: Check, pieces: Sequence[str]) -> BucketPartial:
        """Open the upload for more bytes, which go into new objects."""
        return BucketPartial(self._client, upload, offset, check, pieces)

    def whole(
        self, upload: str, fileset: int, size: int, pieces: Sequence[str], *, digested: Digested, watch: Watch | None
    ) -> BucketWhole:
        """Let the bucket copy the pieces; they are read only where their digest is not known, or for `watch`."""
        return BucketWhole(self._client, upload, fileset, size, pieces, digested=digested, watch=watch)

    def drop(self, upload: str) -> None:
        """Delete the pieces."""
        for found in self._client.listing(f"partial/{upload}/"):
            self._client.delete_all([key for key, _ in found])

    def partials_older_than(self, age: float) -> list[str]:
        """Compare the time of the newest piece of each upload."""
        newest: dict[str, datetime] = {}
        for found in self._client.listing("partial/"):
            for key, at in found:
                upload = key.split("/")[1]
                newest[upload] = max(at, newest.get(upload, at))
        limit = datetime.now(UTC) - timedelta(seconds=age)
        return [upload for upload, at in newest.items() if at < limit]

    def open(self, fileset: int) -> BucketReader:
        """Open a content, which is read by ranged requests."""
        return BucketReader(self._client, fileset)

    def remove(self, fileset: int) -> None:
        """Delete the object."""
        self._client.delete(f"blobs/{fileset}")

    def page(self, after: str, age: float) -> tuple[list[int], str]:
        """Read one page of the bucket's listing; the cursor is its last key."""
        limit = datetime.now(UTC) - timedelta(seconds=age)
        found, cursor = self._client.page("blobs/", after, self._page)
        names = [key.rpartition("/")[2] for key, at in found if at < limit]
        return [int(name) for name in names if name.isdecimal()], cursor

    def stored_at(self, fileset: int) -> float:
        """Ask the bucket for the time of the object."""
        return self._client.stored_at(f"blobs/{fileset}").timestamp()

    def clear_staging(self, age: float | None) -> int:
        """Abort multipart uploads whose last part is older than `age`: a bucket cannot tell whether a process lives."""
        limit = datetime.now(UTC) - timedelta(seconds=_ABANDONED_S if age is None else age)
        count = 0
        for key, upload, began_at in self._client.unfinished("blobs/"):
            try:
                if began_at < limit and (self._client.last_part_at(key, upload) or began_at) < limit:
                    self._client.abort(key, upload)
                    count += 1
            except FileNotFoundError:
                # It was completed or aborted meanwhile.
                continue
            except OSError as error:
                logs.get("sweeping").warning("staging.undeletable", name=key, error=repr(error))
        return count

    def ping(self) -> None:
        """Raise OSError unless the bucket exists and answers."""
        self._client.ping()

    def free(self) -> None:
        """Return None: a bucket does not tell its limit."""
