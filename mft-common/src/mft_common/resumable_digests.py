"""Compute SHA-256 and MD5 with a state that can be stored, so that any process continues the digest of a file.

hashlib cannot export the state of a digest. OpenSSL's SHA256_Init, SHA256_Update and SHA256_Final, and those of MD5,
work on a plain structure, which is the state. They are deprecated in favour of interfaces that hide it, and are part of
the library that hashlib loads.
"""

import ctypes
import ctypes.util
import hashlib
import sys
from importlib.util import find_spec
from typing import Any, ClassVar, Final, Self

_CALLS: Final = ("Init", "Update", "Final")
_ORDER: Final = sys.byteorder.encode() + b":"


def _library(name: str) -> Any | None:
    """Return the OpenSSL library that hashlib uses, or that of the system; None where neither has the functions."""
    spec = find_spec("_hashlib")
    for path in (spec.origin if spec is not None else None, ctypes.util.find_library("crypto")):
        try:
            library = ctypes.CDLL(path) if path else None
        except OSError:
            continue
        if all(hasattr(library, f"{name}_{call}") for call in _CALLS):
            getattr(library, f"{name}_Update").argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
            return library
    return None


class _Resumable:
    """A digest like hashlib's, with its `state`."""

    name: ClassVar[str]
    context_size: ClassVar[int]
    digest_size: ClassVar[int]
    init: ClassVar[Any]
    add: ClassVar[Any]
    final: ClassVar[Any]

    def __init_subclass__(cls, openssl: str) -> None:
        # Of hashlib's own functions each class has one of its own.
        library = _library(openssl)
        cls.init, cls.add, cls.final = (getattr(library, f"{openssl}_{call}", None) for call in _CALLS)

    def __init__(self, state: bytes = b"") -> None:
        self._context = ctypes.create_string_buffer(state[len(_ORDER) :], self.context_size)
        if not state:
            type(self).init(self._context)

    @property
    def state(self) -> bytes:
        """The state, from which another object continues on a machine of the same byte order."""
        return _ORDER + self._context.raw

    def update(self, block: bytes | memoryview, /) -> None:
        """Digest the next bytes."""
        content = bytes(block)
        type(self).add(self._context, content, len(content))

    def copy(self) -> Self:
        """Return an object that continues from here by itself."""
        return type(self)(self.state)

    def digest(self) -> bytes:
        """Return the digest of all bytes so far."""
        result = ctypes.create_string_buffer(self.digest_size)
        context = ctypes.create_string_buffer(self._context.raw, self.context_size)
        type(self).final(result, context)
        return result.raw

    def hexdigest(self) -> str:
        """Return the digest of all bytes so far, in hexadecimal."""
        return self.digest().hex()

    @classmethod
    def works(cls) -> bool:
        """Return whether the library is there and continues a stored state as hashlib continues its own."""
        if None in (cls.init, cls.add, cls.final):
            return False
        content = bytes(range(256)) * 3
        whole = hashlib.new(cls.name, content, usedforsecurity=False).digest()
        for cut in (0, 1, 63, 64, 65, 500):
            first = cls()
            first.update(content[:cut])
            second = cls(first.state)
            second.update(content[cut:])
            if second.digest() != whole:
                return False
        return True


class ResumableSha256(_Resumable, openssl="SHA256"):
    """A SHA-256 like hashlib's, with its `state`."""

    name = "sha256"
    # SHA256_CTX: eight words of the digest, the count of bits in two, a block of 64 bytes, and two more words.
    context_size = 112
    digest_size = 32


class ResumableMd5(_Resumable, openssl="MD5"):
    """An MD5 like hashlib's, with its `state`."""

    name = "md5"
    # MD5_CTX: four words of the digest, the count of bits in two, a block of 64 bytes, and one more word.
    context_size = 92
    digest_size = 16


AVAILABLE: Final = ResumableSha256.works()
MD5_AVAILABLE: Final = ResumableMd5.works()


def readable(state: bytes | None) -> bool:
    """Return whether a stored state of SHA-256 can be continued here."""
    return AVAILABLE and _is_state(ResumableSha256, state)


def md5_readable(state: bytes | None) -> bool:
    """Return whether a stored state of MD5 can be continued here."""
    return MD5_AVAILABLE and _is_state(ResumableMd5, state)


def _is_state(kind: type[_Resumable], state: bytes | None) -> bool:
    return state is not None and len(state) == len(_ORDER) + kind.context_size and state.startswith(_ORDER)


def new_sha256(state: bytes = b"") -> Any:
    """Return a digest that begins, or continues from `state`; hashlib's own where states are not available."""
    return ResumableSha256(state) if AVAILABLE else hashlib.sha256()


def new_md5(state: bytes = b"") -> Any:
    """Return an MD5 that begins, or continues from `state`; hashlib's own where states are not available."""
    return ResumableMd5(state) if MD5_AVAILABLE else hashlib.md5(usedforsecurity=False)


def state_of(digest: Any | None) -> bytes:
    """Return the state of a digest, empty where it cannot be stored."""
    return digest.state if isinstance(digest, _Resumable) else b""
