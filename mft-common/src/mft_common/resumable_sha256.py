"""Compute SHA-256 with a state that can be stored, so that any process continues the digest of an upload.

hashlib cannot export the state of a digest. OpenSSL's SHA256_Init, SHA256_Update and SHA256_Final work on a plain
structure, which is the state. They are deprecated in favour of interfaces that hide it, and are part of the library
that hashlib loads.
"""

import ctypes
import ctypes.util
import hashlib
import sys
from importlib.util import find_spec
from typing import Any, Final, Self

# SHA256_CTX: eight words of the digest, the count of bits in two, a block of 64 bytes, and two more words.
_CONTEXT_SIZE: Final = 112
_DIGEST_SIZE: Final = 32
_ORDER: Final = sys.byteorder.encode() + b":"


def _library() -> Any | None:
    """Return the OpenSSL library that hashlib uses, or that of the system; None where neither has the functions."""
    spec = find_spec("_hashlib")
    for path in (spec.origin if spec is not None else None, ctypes.util.find_library("crypto")):
        try:
            library = ctypes.CDLL(path) if path else None
        except OSError:
            continue
        if all(hasattr(library, name) for name in ("SHA256_Init", "SHA256_Update", "SHA256_Final")):
            library.SHA256_Update.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)  # type: ignore[union-attr]
            return library
    return None


_LIBRARY: Final = _library()


class ResumableSha256:
    """A SHA-256 like hashlib's, with its `state`."""

    def __init__(self, state: bytes = b"") -> None:
        self._context = ctypes.create_string_buffer(state[len(_ORDER) :], _CONTEXT_SIZE)
        if not state:
            _LIBRARY.SHA256_Init(self._context)  # type: ignore[union-attr]

    @property
    def state(self) -> bytes:
        """The state, from which another object continues on a machine of the same byte order."""
        return _ORDER + self._context.raw

    def update(self, block: bytes | memoryview, /) -> None:
        """Digest the next bytes."""
        content = bytes(block)
        _LIBRARY.SHA256_Update(self._context, content, len(content))  # type: ignore[union-attr]

    def copy(self) -> Self:
        """Return an object that continues from here by itself."""
        return type(self)(self.state)

    def digest(self) -> bytes:
        """Return the digest of all bytes so far."""
        result = ctypes.create_string_buffer(_DIGEST_SIZE)
        context = ctypes.create_string_buffer(self._context.raw, _CONTEXT_SIZE)
        _LIBRARY.SHA256_Final(result, context)  # type: ignore[union-attr]
        return result.raw

    def hexdigest(self) -> str:
        """Return the digest of all bytes so far, in hexadecimal."""
        return self.digest().hex()


def _works() -> bool:
    """Return whether the library is there and continues a stored state as hashlib continues its own."""
    if _LIBRARY is None:
        return False
    content = bytes(range(256)) * 3
    for cut in (0, 1, 63, 64, 65, 500):
        first = ResumableSha256()
        first.update(content[:cut])
        second = ResumableSha256(first.state)
        second.update(content[cut:])
        if second.digest() != hashlib.sha256(content).digest():
            return False
    return True


AVAILABLE: Final = _works()


def readable(state: bytes | None) -> bool:
    """Return whether a stored state can be continued here."""
    return AVAILABLE and state is not None and len(state) == len(_ORDER) + _CONTEXT_SIZE and state.startswith(_ORDER)


def new_sha256(state: bytes = b"") -> Any:
    """Return a digest that begins, or continues from `state`; hashlib's own where states are not available."""
    return ResumableSha256(state) if AVAILABLE else hashlib.sha256()


def state_of(digest: Any | None) -> bytes:
    """Return the state of a digest, empty where it cannot be stored."""
    return digest.state if isinstance(digest, ResumableSha256) else b""
