"""Send requests to one bucket; each is tried once, and every failure is raised as a TransferError."""

import base64
import functools
import hashlib
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import boto3
import botocore
from botocore.config import Config

from mft_common.endpoints.errors import (
    BadName,
    Changed,
    Mismatch,
    NotFound,
    Transient,
    Unsupported,
)
from mft_common.endpoints.names import check_path, printable
from mft_common.endpoints.s3.connections import wait_while_idle
from mft_common.endpoints.s3.errors import client_errors, s3_errors
from mft_common.endpoints.targets import Target

_LONGEST_KEY: Final = 1024
_MD5: Final = re.compile(r'"[0-9a-f]{32}"')
_ABORTS: Final = 5
# How many threads may use one client at once, and how many connections it keeps: four parts a thread.
AT_ONCE: Final = 16
_CONNECTIONS: Final = 4 * AT_ONCE
# The name of the metadata by which an upload recognises its own object after a lost answer.
_MARK: Final = "crossdock-upload"
_CHANGED: Final = {"PreconditionFailed": Changed, "412": Changed}
# A session takes 0.2 s to read the descriptions of the service, and must not make two clients at once.
_making: Final = threading.Lock()


@functools.cache
def _session() -> Any:
    """Return the one session of this process, which holds no credentials."""
    return boto3.session.Session()


@dataclass(frozen=True)
class Found:
    """An object: its size in bytes, the time in milliseconds where the store tells it, its ETag, its upload's mark."""

    size: int
    modified_at: int | None
    version: str
    mark: str


@dataclass(frozen=True)
class Part:
    """A stored part of a multipart upload."""

    number: int
    size: int
    etag: str


class Bucket:
    """The requests to one bucket, below one prefix.

    A foreign store is addressed by path and gets no trailers: older ones keep them as content. What is sent is covered
    by Content-MD5, which every store checks. Proxies, addresses and credentials of the environment are not used.
    """

    def __init__(self, target: Target) -> None:
        self._name = target.host
        self.prefix = f"{target.folder.strip('/')}/" if target.folder.strip("/") else ""
        checksums = "when_required" if target.endpoint else "when_supported"
        unsigned = {} if target.key_id else {"signature_version": botocore.UNSIGNED}
        config = Config(
            connect_timeout=target.timeouts.connect,
            read_timeout=target.timeouts.idle,
            max_pool_connections=_CONNECTIONS,
            retries={"total_max_attempts": 1},
            request_checksum_calculation=checksums,
            response_checksum_validation=checksums,
            s3={"addressing_style": "path" if target.endpoint else "auto"},
            proxies={},
            ignore_configured_endpoint_urls=True,
            **unsigned,
        )
        with client_errors(target.shown), _making:
            self._s3 = _session().client(
                "s3",
                aws_access_key_id=target.key_id or None,
                aws_secret_access_key=target.secret or None,
                region_name=target.region or "us-east-1",
                endpoint_url=target.endpoint or None,
                verify=target.ca or True,
                config=config,
            )
        wait_while_idle(self._s3, target.timeouts.idle)
        # The library asks before each body whether it may send it, and waits for the answer: one round trip a file.
        self._s3.meta.events.register_last("before-call.s3", _send_at_once)

    def key(self, path: str) -> str:
        """Return the key of a file; BadName where S3 has no key for it: a key is UTF-8, of at most 1,024 bytes."""
        key = self.prefix + check_path(path)
        try:
            size = len(key.encode("utf-8"))
        except UnicodeEncodeError as error:
            raise BadName(f"{printable(path)}: the name is not UTF-8, and a bucket has no other names") from error
        if size > _LONGEST_KEY:
            raise BadName(f"{printable(path)}: a key has at most {_LONGEST_KEY} bytes")
        return key

    def page(self, folder: str, after: str, *, recursive: bool, size: int = 1000) -> tuple[list[dict[str, Any]], str]:
        """Return the next objects whose keys begin with `folder`, and the token of the page after, "" at the end."""
        more = {"ContinuationToken": after} if after else {}
        if not recursive:
            more["Delimiter"] = "/"
        with s3_errors(folder.removeprefix(self.prefix).rstrip("/")):
            answer = self._s3.list_objects_v2(Bucket=self._name, Prefix=folder, MaxKeys=size, **more)
        following = str(answer.get("NextContinuationToken", "")) if answer.get("IsTruncated") else ""
        return list(answer.get("Contents", ())), following

    def head(self, path: str) -> Found:
        """Return what the bucket tells about an object; NotFound."""
        with s3_errors(path):
            return _found(self._s3.head_object(**self._at(path)))

    def get(self, path: str, start: int, version: str) -> tuple[Found, Any]:
        """Return an object and the stream of its bytes from `start` on; Changed when it is no longer `version`."""
        more = {"Range": f"bytes={start}-"} if start else {}
        if version:
            more["IfMatch"] = f'"{version}"'
        with s3_errors(path, _CHANGED):
            answer = self._s3.get_object(**self._at(path), **more)
        found = _found(answer)
        if not start:
            return found, answer["Body"]
        match = re.fullmatch(r"bytes ([0-9]+)-[0-9]+/([0-9]+)", answer.get("ContentRange", ""))
        if match is None or int(match[1]) != start:
            answer["Body"].close()
            raise Changed(f"{printable(path)}: the bucket does not send the bytes from {start} on")
        return Found(int(match[2]), found.modified_at, found.version, found.mark), answer["Body"]

    def put(self, path: str, content: bytes | bytearray, mark: str, *, exclusive: bool) -> str:
        """Store an object whole; Exists where it must not be there and is.

        Returns the object's version where it is the MD5 of what was sent, "" where the answer proves nothing.
        """
        encoded, digest = _md5(content)
        body = {"Body": content, "ContentMD5": encoded, "Metadata": {_MARK: mark}}
        with s3_errors(path):
            answer = self._s3.put_object(**self._at(path), **body, **_condition(exclusive=exclusive))
        return _proved(answer, digest)

    def create(self, path: str, mark: str) -> str:
        """Begin a multipart upload; return its id."""
        with s3_errors(path):
            return str(self._s3.create_multipart_upload(**self._at(path), Metadata={_MARK: mark})["UploadId"])

    def upload_part(self, path: str, upload: str, number: int, content: bytes | bytearray) -> Part:
        """Send a part; Mismatch where the bucket answers with another MD5 (an ETag of another form is none)."""
        encoded, digest = _md5(content)
        with s3_errors(path, {"NoSuchUpload": Mismatch, "404": Mismatch}):
            answer = self._s3.upload_part(
                **self._at(path), UploadId=upload, PartNumber=number, Body=content, ContentMD5=encoded
            )
        etag = str(answer["ETag"])
        if _MD5.fullmatch(etag) and etag != f'"{digest}"' and not _is_encrypted(answer):
            raise Mismatch(f"{printable(path)}: the bucket has stored part {number} with another checksum")
        return Part(number, len(content), etag)

    def parts(self, path: str, upload: str) -> list[Part]:
        """Return the stored parts of an upload in the order of their numbers; NotFound."""
        found: list[Part] = []
        more: dict[str, int] = {}
        while True:
            with s3_errors(path):
                answer = self._s3.list_parts(**self._at(path), UploadId=upload, **more)
            found += [Part(each["PartNumber"], each["Size"], each["ETag"]) for each in answer.get("Parts", ())]
            if not answer.get("IsTruncated"):
                return found
            more = {"PartNumberMarker": int(answer["NextPartNumberMarker"])}

    def complete(self, path: str, upload: str, parts: Sequence[Part], *, exclusive: bool) -> str:
        """Make one object of the parts; Exists where it must not be there and is, Mismatch where the upload is gone.

        Returns the object's version where it is made of the parts' MD5, "" where the answer proves nothing.
        """
        listed = {"Parts": [{"PartNumber": part.number, "ETag": part.etag} for part in parts]}
        with s3_errors(path, {"NoSuchUpload": Mismatch, "404": Mismatch}):
            answer = self._s3.complete_multipart_upload(
                **self._at(path), UploadId=upload, MultipartUpload=listed, **_condition(exclusive=exclusive)
            )
        return _proved(answer, _md5_of_parts(parts))

    def abort(self, path: str, upload: str) -> bool:
        """Abort an upload until the bucket lists no part of it: one that arrives during an abort may stay behind.

        Returns False where there was no such upload.
        """
        found = False
        for _ in range(_ABORTS):
            try:
                with s3_errors(path):
                    self._s3.abort_multipart_upload(**self._at(path), UploadId=upload)
                found = True
                self.parts(path, upload)
            except NotFound:
                return found
        raise Transient(f"{printable(path)}: an upload is still listed after {_ABORTS} aborts")

    def delete(self, path: str, version: str) -> None:
        """Delete an object; Changed when it is no longer `version`, NotFound when it is gone.

        A store that does not know the condition has it compared by a request before.
        """
        found = self.head(path)
        if version and found.version != version:
            raise Changed(f"{printable(path)}: changed since it was read, so it was not deleted")
        try:
            with s3_errors(path, _CHANGED):
                self._s3.delete_object(**self._at(path), IfMatch=f'"{found.version}"')
        except Unsupported:
            with s3_errors(path):
                self._s3.delete_object(**self._at(path))

    def close(self) -> None:
        """Close the connections."""
        self._s3.close()

    def _at(self, path: str) -> dict[str, str]:
        return {"Bucket": self._name, "Key": self.key(path)}


def _send_at_once(params: dict[str, Any], **_more: Any) -> None:
    params["headers"].pop("Expect", None)


def version_of(answer: Mapping[str, Any]) -> str:
    """Return the ETag without its quotes: some stores leave them out of listings."""
    return str(answer["ETag"]).strip('"')


def time_of(answer: Mapping[str, Any]) -> int | None:
    """Return the time of an object in milliseconds, None where the store tells none."""
    at = answer.get("LastModified")
    return None if at is None else int(at.timestamp() * 1000)


def _found(answer: Mapping[str, Any]) -> Found:
    return Found(
        int(answer["ContentLength"]),
        time_of(answer),
        version_of(answer),
        str(answer.get("Metadata", {}).get(_MARK, "")),
    )


def _condition(*, exclusive: bool) -> dict[str, str]:
    return {"IfNoneMatch": "*"} if exclusive else {}


def _md5(content: bytes | bytearray) -> tuple[str, str]:
    """Return the MD5 of the content in Base64, as the header has it, and in hex, as an ETag has it."""
    digest = hashlib.md5(content, usedforsecurity=False)
    return base64.b64encode(digest.digest()).decode(), digest.hexdigest()


def _md5_of_parts(parts: Sequence[Part]) -> str:
    """Return the version of an object of these parts as Amazon makes it, "" where the parts have no MD5."""
    etags = [part.etag for part in parts]
    if not all(_MD5.fullmatch(etag) for etag in etags):
        return ""
    digests = b"".join(bytes.fromhex(etag.strip('"')) for etag in etags)
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(etags)}"


def _proved(answer: Mapping[str, Any], digest: str) -> str:
    """Return the version of an answer where it is `digest`, else "": encrypted objects have others."""
    found = str(answer.get("ETag", "")).strip('"')
    return found if digest and found == digest else ""


def _is_encrypted(answer: Mapping[str, Any]) -> bool:
    return any(name in answer for name in ("ServerSideEncryption", "SSECustomerAlgorithm"))
