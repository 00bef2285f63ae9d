"""Write ICAP requests."""

from typing import Final
from urllib.parse import quote

from filestore_svc.domain.scanning import Method, ScannerPlace

# The end of a body, and the end of a preview that is the whole body.
END: Final = b"0\r\n\r\n"
END_OF_ALL: Final = b"0; ieof\r\n\r\n"
_TYPE: Final = "Content-Type: application/octet-stream\r\n"


def options(place: ScannerPlace) -> bytes:
    """Return a request for the options of the service."""
    return f"OPTIONS {place.uri} ICAP/1.0\r\nHost: {place.authority}\r\nUser-Agent: Crossdock\r\n\r\n".encode()


def head(place: ScannerPlace, method: Method, path: str, size: int | None, preview: int | None) -> bytes:
    """Return the head of a scan: for REQMOD the content is the body of a PUT, for RESPMOD that of a response to a GET.

    `Allow: 204` lets the scanner pass a clean content without sending it back.
    """
    url = "http://filestore" + quote(path.encode("utf-8", "surrogatepass"))
    length = "" if size is None else f"Content-Length: {size}\r\n"
    if method == "REQMOD":
        put = f"PUT {url} HTTP/1.1\r\nHost: filestore\r\n{_TYPE}{length}\r\n"
        http, sections = put, f"req-hdr=0, req-body={len(put)}"
    else:
        get = f"GET {url} HTTP/1.1\r\nHost: filestore\r\n\r\n"
        http = f"{get}HTTP/1.1 200 OK\r\n{_TYPE}{length}\r\n"
        sections = f"req-hdr=0, res-hdr={len(get)}, res-body={len(http)}"
    ahead = "" if preview is None else f"Preview: {preview}\r\n"
    return (
        f"{method} {place.uri} ICAP/1.0\r\nHost: {place.authority}\r\nUser-Agent: Crossdock\r\nAllow: 204\r\n"
        f"{ahead}Encapsulated: {sections}\r\n\r\n{http}"
    ).encode()


def chunk(block: memoryview | bytes | bytearray) -> bytes:
    """Return a chunk of a body; no bytes for an empty block, which would end the body."""
    return b"".join((b"%x\r\n" % len(block), block, b"\r\n")) if len(block) else b""
