"""Keep a resumable upload in a bucket, as one object for each piece of it."""

import secrets
from collections.abc import Sequence

from filestore_svc.store.bucket_client import BucketClient
from filestore_svc.store.bucket_staging import PART
from filestore_svc.store.partials import Check


class BucketPartial:
    """An upload in pieces as objects `partial/<upload>/<first byte>-<anything>`: two writers never share a name."""

    def __init__(self, client: BucketClient, upload: str, offset: int, check: Check) -> None:
        self._client = client
        self._folder = f"partial/{upload}/"
        self._check = check
        self._next = offset
        self._held = bytearray()
        self._names: list[str] = []

    def append(self, block: memoryview | bytes, /) -> None:
        """Hold the bytes, and send an object when there are enough for one."""
        self._check()
        self._held += block
        if len(self._held) >= PART:
            self._send()

    def sync(self) -> Sequence[str]:
        """Send what is held."""
        if self._held:
            self._send()
        names, self._names = self._names, []
        return names

    def close(self) -> None:
        """Nothing is open."""

    def _send(self) -> None:
        name = f"{self._next:020d}-{secrets.token_hex(8)}"
        self._client.put(self._folder + name, bytes(self._held))
        self._names.append(name)
        self._next += len(self._held)
        self._held = bytearray()
