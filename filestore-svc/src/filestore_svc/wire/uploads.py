"""Read what a request says of the file that it brings, before its body is touched, and then the body."""

import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from filestore_svc.domain.files import DEFAULT_DATATYPE
from filestore_svc.wire import bodies, metadata, multipart
from filestore_svc.wire.bodies import Sink
from filestore_svc.wire.headers import Preconditions, digests, preconditions

_LONGEST_DATATYPE = 255
_PRINTABLE = frozenset(string.ascii_letters + string.digits + string.punctuation + " ")


@dataclass(frozen=True)
class FormUpload:
    """A multipart upload whose headers made sense; `promised` are the digests that they carry."""

    stream: Any
    length: int | None
    boundary: bytes
    promised: dict[str, bytes]
    preconditions: Preconditions


@dataclass(frozen=True)
class Received:
    """What a multipart body held beside the bytes of its file."""

    datatype: str
    filename: str | None
    attributes: dict[str, str]
    promised: dict[str, bytes]


def form_upload(environ: Mapping[str, Any]) -> FormUpload:
    """Read the headers of a multipart upload; BadSyntax where they show that it is none (8, 14, 17)."""
    boundary = multipart.boundary_of(environ.get("CONTENT_TYPE", ""))
    promised = digests(environ.get("HTTP_REPR_DIGEST"), environ.get("HTTP_CONTENT_MD5"))
    return FormUpload(environ["wsgi.input"], length_of(environ), boundary, promised, preconditions(environ))


def receive(upload: FormUpload, open_sink: Callable[..., Sink]) -> Received:
    """Send the file's bytes to `open_sink(md5=...)`; BadSyntax for a body that is cut or says too little (S12, S13)."""
    promised = dict(upload.promised)

    def open_file(head: multipart.PartHead) -> Sink:
        promised.update(digests(head.headers.get("repr-digest"), head.headers.get("content-md5")))
        return open_sink(md5="md5" in promised)

    form = bodies.receive_form(bodies.blocks(upload.stream, upload.length), upload.boundary, open_file)
    attributes = {} if form.metadata is None else metadata.parse(form.metadata)
    datatype = datatype_of(form.file.headers.get("content-type"))
    return Received(datatype, form.file.filename, attributes, promised)


def raw_blocks(environ: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield a body that is the file itself."""
    return bodies.blocks(environ["wsgi.input"], length_of(environ))


def length_of(environ: Mapping[str, Any]) -> int | None:
    """Return the declared length of the body: 0 when there is none, None for a body in chunks."""
    text = environ.get("CONTENT_LENGTH")
    if text:
        return int(text) if text.isascii() and text.isdigit() else 0
    return None if environ.get("wsgi.input_terminated") else 0


def datatype_of(content_type: str | None) -> str:
    """Return the type to store: what was sent where a header can hold it again, else the default (6)."""
    text = (content_type or "").strip(" \t")
    if not 0 < len(text) <= _LONGEST_DATATYPE or not _PRINTABLE.issuperset(text):
        return DEFAULT_DATATYPE
    return text
