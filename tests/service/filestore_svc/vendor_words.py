"""The vendor's words for refusals, and multipart bodies made by hand."""

import re

T = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
E_AUTH = (401, "Invalid username or password", "authentication")
E_CONF = (401, "Connection contract not configured", "configuration")
E_NOFILE = (400, "No filename specified", "request_syntax")
E_NOSET = (400, "No fileset specified", "request_syntax")
E_SYN = (400, "Missing parameters or syntax error", "request_syntax")
E_DSYN = (400, "missing param or syntax error", "syntax_error")
E_W = (403, "No write permission", "authorization")
E_R = (403, "No read permission", "authorization")
E_D = (403, "No delete permission", "authorization")
E_L = (403, "No list permission", "authorization")
NO_CREATE = (403, "No create permission", "authorization")
ORIGIN = (403, "Foreign origin", "authorization")
E_LPATH = (404, "Path doesn't exist", "io")
E_LOGIN = (404, "No username or password", "request_syntax")
PRECONDITION = (412, "Precondition failed", "io")


def e_path(path):
    return 404, f"Path '{path}' doesn't exist", "io"


def e_file(name):
    return 404, f"File '{name}' doesn't exist", "io"


def e_id(text):
    return 404, f"{text} doesn't exist", "io"


def exists(name):
    return 409, f"File '{name}' already exists", "io"


def refused(answer, *, timestamp=True):
    """Return what a refusal says, after its members and their order were checked."""
    assert answer.headers["Content-Type"] == "application/json", answer.headers
    body = dict(answer.json)
    when = ["timestamp"] if timestamp else []
    assert list(body) == ["result", *when, "message", "errorType"], body
    assert body["result"] == "failed"
    assert not timestamp or T.fullmatch(body["timestamp"])
    return answer.status_code, body["message"], body["errorType"]


def done(answer, message, status=200, *, timestamp=True):
    """Return the fileset of a success, after its members and their order were checked."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json"), answer.data
    body = dict(answer.json)
    when = ["timestamp"] if timestamp else []
    assert list(body) == ["result", *when, "message", "fileset"], body
    assert (body["result"], body["message"]) == ("ok", message)
    assert not timestamp or T.fullmatch(body["timestamp"])
    assert isinstance(body["fileset"], int)
    assert 1 <= body["fileset"] < 2**53
    return body["fileset"]


def part(name, content, filename=None, content_type=None, **headers):
    """Return one part of a multipart body; underscores in the names of headers are dashes."""
    file = "" if filename is None else f'; filename="{filename}"'
    lines = [f'Content-Disposition: form-data; name="{name}"{file}']
    lines += [f"Content-Type: {content_type}"] if content_type else []
    lines += [f"{header.replace('_', '-')}: {value}" for header, value in headers.items()]
    raw = content if isinstance(content, bytes) else content.encode()
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


def multipart(*parts, boundary="XbX"):
    """Return a body and the header that goes with it, as the arguments of a call."""
    body = b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), each) for each in parts)
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return {"data": body + b"--%s--\r\n" % boundary.encode(), "headers": headers}


def with_metadata(filename="a.txt", content=b"hello", metadata="{}", **more):
    """Return the arguments of an upload with metadata."""
    return multipart(part("metadata", metadata, None, "application/json"), part("file", content, filename, **more))
