"""Read the headers of an upload, and then its body."""

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from filestore_svc.domain.files import DEFAULT_DATATYPE
from filestore_svc.domain.paths import name_of
from filestore_svc.errors import BadSyntax, NoFilename
from filestore_svc.wire import bodies, metadata, multipart
from filestore_svc.wire.bodies import Sink
from filestore_svc.wire.headers import Preconditions, check_whole, digests, preconditions

_LONGEST_DATATYPE = 255
_PRINTABLE = frozenset(string.ascii_letters + string.digits + string.punctuation + " ")


@dataclass(frozen=True)
class UploadHead:
    """The head of an upload; `promised` are the digests that the file must have.

    Without a `boundary` the body is the file itself, of the type `datatype`.
    """

    stream: Any
    length: int | None
    boundary: bytes | None
    datatype: str
    promised: dict[str, bytes]
    preconditions: Preconditions

    @property
    def minimum_size(self) -> int:
        """The least number of bytes of its file, if the body is as long as it is declared to be."""
        return bodies.minimum_file_size(self.length, self.boundary)


@dataclass(frozen=True)
class Received:
    """The content of a body beside the bytes of its file; `attributes` is None without a metadata part."""

    datatype: str
    filename: str | None
    attributes: dict[str, str] | None
    promised: dict[str, bytes]


def head(environ: Mapping[str, Any], *, raw: bool = False) -> UploadHead:
    """Read the headers of an upload; BadSyntax where they show that the body is no whole file (8, 15, S17, S37).

    With `raw` a body that is no multipart is taken as the file itself (S14).
    """
    check_whole(environ)
    content_type = environ.get("CONTENT_TYPE", "")
    bare = raw and not content_type.strip().lower().startswith("multipart/")
    return UploadHead(
        stream=environ["wsgi.input"],
        length=bodies.length_of(environ),
        boundary=None if bare else multipart.boundary_of(content_type),
        datatype=datatype_of(content_type),
        promised=digests(environ.get("HTTP_REPR_DIGEST"), environ.get("HTTP_CONTENT_MD5")),
        preconditions=preconditions(environ),
    )


def receive(head: UploadHead, open_sink: Callable[..., Sink], named: Callable[[str | None], None]) -> Received:
    """Write the file's bytes to `open_sink(md5=...)`; BadSyntax for an incomplete body or a missing part (S12, S13).

    `named` is called with the file name of the part before any of its bytes is read, and may refuse it.
    """
    promised = dict(head.promised)
    if head.boundary is None:
        sink = open_sink(md5="md5" in promised)
        for block in bodies.blocks(head.stream, head.length):
            sink.write(block)
        return Received(head.datatype, None, None, promised)

    def open_file(part: multipart.PartHead) -> Sink:
        named(part.filename)
        promised.update(digests(part.headers.get("repr-digest"), part.headers.get("content-md5")))
        return open_sink(md5="md5" in promised)

    form = bodies.receive_form(bodies.blocks(head.stream, head.length), head.boundary, open_file)
    attributes = None
    if form.metadata is not None:
        if form.metadata_type is not None:
            metadata.only_json(form.metadata_type)
        attributes = metadata.parse(form.metadata)
    datatype = datatype_of(form.file.headers.get("content-type"))
    return Received(datatype, form.file.filename, attributes, promised)


def stored_name(filename: str | None) -> str:
    """Return the name under which the file of a part is stored; NoFilename, BadSyntax for an unusable one (14, S6)."""
    if not filename:
        raise NoFilename
    name = None if "/" in filename else name_of(filename.encode("utf-8", "surrogatepass"))
    if name is None:
        raise BadSyntax
    return name


def datatype_of(content_type: str | None) -> str:
    """Return the type to store: the given one where a header can hold it, else the default (6)."""
    text = (content_type or "").strip(" \t")
    if not 0 < len(text) <= _LONGEST_DATATYPE or not _PRINTABLE.issuperset(text):
        return DEFAULT_DATATYPE
    return text
