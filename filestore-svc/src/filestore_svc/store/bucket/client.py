"""Send requests to a bucket that speaks S3; its failures are raised as OSError, as those of a disk are."""

import base64
import contextlib
import errno
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from mft_common.endpoints.s3.connections import wait_while_idle

_CONNECT_S: Final = 5.0
_IDLE_S: Final = 60.0
_MISSING: Final = frozenset(("404", "NoSuchKey", "NoSuchUpload", "NotFound"))
_FULL: Final = frozenset(("507", "InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuota"))


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """The address of a bucket and the credentials for it.

    Without an endpoint it is Amazon's; without a key boto3 finds the credentials of the machine.
    """

    name: str
    prefix: str
    endpoint: str = ""
    key_id: str = ""
    secret: str = ""


class BucketClient:
    """The requests to one bucket, below one prefix. Each raises OSError: ENOSPC if it is full, FileNotFoundError."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket.name
        self._prefix = f"{bucket.prefix}/" if bucket.prefix else ""
        session = boto3.session.Session(
            aws_access_key_id=bucket.key_id or None, aws_secret_access_key=bucket.secret or None
        )
        # boto3's clients are thread-safe; the pool has a connection for each of the process's threads.
        config = Config(
            connect_timeout=_CONNECT_S,
            read_timeout=_IDLE_S,
            max_pool_connections=64,
            retries={"max_attempts": 4, "mode": "standard"},
            s3={"addressing_style": "path" if bucket.endpoint else "auto"},
        )
        region = session.region_name or "us-east-1"
        with _as_os_errors():
            self._s3 = session.client("s3", region_name=region, endpoint_url=bucket.endpoint or None, config=config)
        wait_while_idle(self._s3, _IDLE_S)

    def put(self, key: str, content: bytes) -> None:
        """Store an object whole."""
        with _as_os_errors():
            self._s3.put_object(**self._at(key), Body=content, ChecksumSHA256=_checksum(content))

    def begin(self, key: str) -> str:
        """Begin a multipart upload; return its id."""
        with _as_os_errors():
            return str(self._s3.create_multipart_upload(**self._at(key), ChecksumAlgorithm="SHA256")["UploadId"])

    def part(self, key: str, upload: str, number: int, content: bytes) -> dict[str, Any]:
        """Send a part; return its entry in the list that completes the upload."""
        checksum = _checksum(content)
        with _as_os_errors():
            answer = self._s3.upload_part(
                **self._at(key), UploadId=upload, PartNumber=number, Body=content, ChecksumSHA256=checksum
            )
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}

    def copy_part(self, key: str, upload: str, number: int, source: str) -> dict[str, Any]:
        """Let the bucket copy an object as a part; return its entry in the list that completes the upload."""
        with _as_os_errors():
            answer = self._s3.upload_part_copy(
                **self._at(key), UploadId=upload, PartNumber=number, CopySource=self._at(source)
            )["CopyPartResult"]
        # Amazon's bucket tells the checksum that it made, and wants it back; others tell none.
        checksum = {name: answer[name] for name in ("ChecksumSHA256",) if name in answer}
        return {"PartNumber": number, "ETag": answer["ETag"], **checksum}

    def complete(self, key: str, upload: str, parts: Sequence[dict[str, Any]]) -> None:
        """Complete a multipart upload: its parts become one object."""
        with _as_os_errors():
            self._s3.complete_multipart_upload(**self._at(key), UploadId=upload, MultipartUpload={"Parts": list(parts)})

    def abort(self, key: str, upload: str) -> None:
        """Abort a multipart upload, which removes its parts. Harmless where there is none."""
        with contextlib.suppress(FileNotFoundError), _as_os_errors():
            self._s3.abort_multipart_upload(**self._at(key), UploadId=upload)

    def size(self, key: str) -> int:
        """Return an object's size."""
        with _as_os_errors():
            return int(self._s3.head_object(**self._at(key))["ContentLength"])

    def stored_at(self, key: str) -> datetime:
        """Return when an object was stored; for a multipart upload Amazon tells when it began."""
        with _as_os_errors():
            found: datetime = self._s3.head_object(**self._at(key))["LastModified"]
        return found

    def get(self, key: str, start: int) -> Any:
        """Return a stream of an object's bytes from `start` on."""
        more = {"Range": f"bytes={start}-"} if start else {}
        with _as_os_errors():
            return self._s3.get_object(**self._at(key), **more)["Body"]

    def read(self, body: Any, size: int) -> bytes:
        """Read from such a stream."""
        with _as_os_errors():
            return bytes(body.read(size))

    def read_all(self, key: str) -> bytes:
        """Return the whole content of a small object."""
        with contextlib.closing(self.get(key, 0)) as body, _as_os_errors():
            return bytes(body.read())

    def delete(self, key: str) -> None:
        """Delete an object. Harmless where there is none."""
        with _as_os_errors():
            self._s3.delete_object(**self._at(key))

    def delete_all(self, keys: Sequence[str]) -> None:
        """Delete up to 1,000 objects by one request."""
        if not keys:
            return
        objects = [{"Key": self._prefix + key} for key in keys]
        with _as_os_errors():
            answer = self._s3.delete_objects(Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True})
        for error in answer.get("Errors", ()):
            raise OSError(errno.EIO, f"the bucket refuses to delete {error.get('Key')}: {error.get('Code')}")

    def listing(self, folder: str) -> Iterator[list[tuple[str, datetime]]]:
        """Yield keys and times of the objects below a folder, one page of the bucket's answer at a time."""
        with _as_os_errors():
            pages = self._s3.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + folder):
                yield [
                    (each["Key"].removeprefix(self._prefix), each["LastModified"]) for each in page.get("Contents", ())
                ]

    def page(self, folder: str, after: str, size: int) -> tuple[list[tuple[str, datetime]], str]:
        """Return keys and times of the next objects below a folder after the key `after`, and the last key of them.

        That is "" where no object follows.
        """
        more = {"StartAfter": self._prefix + after} if after else {}
        with _as_os_errors():
            answer = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix + folder, MaxKeys=size, **more)
        found = [(each["Key"].removeprefix(self._prefix), each["LastModified"]) for each in answer.get("Contents", ())]
        return found, found[-1][0] if answer.get("IsTruncated") and found else ""

    def unfinished(self, folder: str) -> Iterator[tuple[str, str, datetime]]:
        """Yield key, id and beginning of the multipart uploads that were neither completed nor aborted."""
        with _as_os_errors():
            pages = self._s3.get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + folder):
                for each in page.get("Uploads", ()):
                    yield each["Key"].removeprefix(self._prefix), each["UploadId"], each["Initiated"]

    def last_part_at(self, key: str, upload: str) -> datetime | None:
        """Return when the newest part of a multipart upload was sent; None before the first one."""
        with _as_os_errors():
            pages = self._s3.get_paginator("list_parts").paginate(**self._at(key), UploadId=upload)
            times = (part["LastModified"] for page in pages for part in page.get("Parts", ()))
            return max(times, default=None)

    def ping(self) -> None:
        """Raise OSError unless the bucket exists and answers."""
        with _as_os_errors():
            self._s3.head_bucket(Bucket=self._bucket)

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}


def _checksum(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


@contextlib.contextmanager
def _as_os_errors() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _MISSING:
            raise FileNotFoundError(errno.ENOENT, code) from error
        if code in _FULL:
            raise OSError(errno.ENOSPC, code) from error
        raise OSError(errno.EIO, f"the bucket refuses: {code}") from error
    except (BotoCoreError, HTTPClientError) as error:
        raise OSError(errno.EIO, f"the bucket does not answer: {type(error).__name__}") from error
