"""The grammar of HTTP/1.1 messages (RFC 9110, 9112), as regular expressions over bytes that read in one way alone."""

import re
from typing import Final

TOKEN: Final = rb"!#$%&'*+\-.^_`|~0-9A-Za-z"
_VALUE: Final = rb"[^\x00-\x08\x0a-\x1f\x7f]*+"
_FIELDS: Final = rb"((?:[" + TOKEN + rb"]++:" + _VALUE + rb"\r\n)*+)\r\n"
# Methods are told apart by case (RFC 9110, 9.1), and Flask is not: it would run `get` as GET. So a method is a token
# without lower-case letters, and as long as the gunicorn of a service takes it.
_METHOD_BYTES: Final = rb"!$%&'*+\-.^_`|~0-9A-Z"
_METHOD: Final = rb"[" + _METHOD_BYTES + rb"]{3,20}"
_TARGET: Final = rb"[^\x00-\x20\x7f#]++"

REQUEST_HEAD: Final = re.compile(rb"(" + _METHOD + rb") (" + _TARGET + rb") HTTP/1\.([01])\r\n" + _FIELDS)
REQUEST_LINE: Final = re.compile(_METHOD + rb" " + _TARGET + rb" HTTP/1\.[01]\r?")
# The begin of a request line whose end has not come yet.
REQUEST_LINE_PREFIX: Final = re.compile(rb"[" + _METHOD_BYTES + rb"]{1,20}|" + _METHOD + rb" .*", re.DOTALL)
RESPONSE_HEAD: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([^\x00-\x08\x0a-\x1f\x7f]*+))?\r\n" + _FIELDS)
BARE_LF: Final = re.compile(rb"(?<!\r)\n")

_QUOTED: Final = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*+"'
_EXTENSION: Final = rb"[ \t]*+;[ \t]*+[" + TOKEN + rb"]++(?:[ \t]*+=[ \t]*+(?:[" + TOKEN + rb"]++|" + _QUOTED + rb"))?+"
# A chunk's size and extensions, without the line break.
CHUNK_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})(?:" + _EXTENSION + rb")*+")
TRAILER_LINE: Final = re.compile(rb"[" + TOKEN + rb"]++:" + _VALUE)
CONTENT_LENGTH: Final = re.compile(r"[0-9]{1,18}")

# Fields about one connection alone, which a proxy never forwards (RFC 9110, 7.6.1).
HOP_BY_HOP: Final = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    )
)
