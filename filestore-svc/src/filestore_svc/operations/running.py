"""Remember digests that are half made, so that an upload in pieces need not be read again at its end."""

import hashlib
import threading
from collections import OrderedDict
from typing import Any, Final

from filestore_svc.domain.resumable import Upload

_MOST: Final = 1_000


class Digests:
    """SHA-256 of what this process has received of each upload. Another process, or this one born again, has none."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[int, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, upload: Upload) -> Any | None:
        """Return a digest of all that was received of an upload, to go on with; None where it is not known."""
        if not upload.received:
            return hashlib.sha256()
        with self._lock:
            position, digest = self._known.get(upload.id, (-1, None))
        return digest.copy() if digest is not None and position == upload.received else None

    def put(self, identifier: str, position: int, digest: Any | None) -> None:
        """Remember the digest of the first `position` bytes."""
        with self._lock:
            self._known.pop(identifier, None)
            if digest is not None:
                self._known[identifier] = (position, digest.copy())
            if len(self._known) > _MOST:
                self._known.popitem(last=False)

    def forget(self, identifier: str) -> None:
        """Forget an upload."""
        with self._lock:
            self._known.pop(identifier, None)
