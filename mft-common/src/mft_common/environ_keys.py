"""Keys under which the hub's own values travel in a WSGI environment."""

from typing import Final

# `time.monotonic()` of the moment at which the request's head was complete, set by the gateway's server.
BEGAN: Final = "crossdock.began"
# A list of `callback(status, bytes sent, whole)`, which the gateway's server calls when the response has ended.
FINISHED: Final = "crossdock.finished"
# The path of the request target as it was sent, without percent-decoding.
RAW_PATH: Final = "crossdock.raw_path"
# The caller's `Identity` as an object, set by a gateway in the same process.
IDENTITY: Final = "crossdock.identity"
# The caller's identity as a signed header, set by a gateway in another process.
IDENTITY_HEADER: Final = "HTTP_X_CROSSDOCK_IDENTITY"
