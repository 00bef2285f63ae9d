"""Send a notification as a signed HTTP request, in the form of Standard Webhooks (standardwebhooks.com)."""

import base64
import contextlib
import hashlib
import hmac
import http.client
import ssl
import time
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import requests

from mft_common.notify.channels import Webhook
from mft_common.notify.deadline import Deadline
from mft_common.notify.errors import NotDelivered
from mft_common.notify.notifications import Notification

_TIMEOUT_S: Final = 10.0
# The whole exchange, from the look-up of the host's name to the header of the answer.
EXCHANGE_S: Final = 30.0


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`: `v1,` and the HMAC-SHA-256 of `ID.TIMESTAMP.BODY` in base64.

    The key is the secret's UTF-8. The time stamp, in seconds, is that of the attempt: a receiver refuses old ones.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256)).decode()


def send(webhook: Webhook, notification: Notification) -> None:
    """POST the notification's body; NotDelivered unless the answer is of the class 2xx.

    Redirects are not followed, proxies and passwords of the environment not used, and the answer's body not read.
    """
    body = notification.body.encode()
    timestamp = int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "crossdock",
        "webhook-id": notification.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(webhook.secret, notification.id, timestamp, body),
    }
    try:
        with Deadline(EXCHANGE_S) as deadline, contextlib.closing(_Connection(webhook, deadline)) as connection:
            connection.request("POST", _path(webhook.url), body, headers)
            status = connection.getresponse().status
    except (http.client.HTTPException, OSError, ValueError) as error:
        # The texts of these errors name the host.
        raise NotDelivered(f"the request failed ({_cause_of(error)})") from None
    if deadline.is_over:
        # What was read of the header ends where the socket was shut down.
        raise NotDelivered("the answer took too long")
    if not 200 <= status < 300:
        raise NotDelivered(f"the receiver answered {status}")


class _Connection(http.client.HTTPConnection):
    """A connection to a receiver that the deadline covers from the look-up of its name on."""

    def __init__(self, webhook: Webhook, deadline: Deadline) -> None:
        parts = urlsplit(webhook.url)
        assert parts.hostname is not None
        self._deadline = deadline
        self._tls = ssl.create_default_context(cafile=webhook.ca or None) if parts.scheme == "https" else None
        # The header `Host` names the port where it is not this one.
        self.default_port = http.client.HTTP_PORT if self._tls is None else http.client.HTTPS_PORT
        super().__init__(parts.hostname, parts.port, timeout=_TIMEOUT_S)

    def connect(self) -> None:
        """Connect, and verify the receiver's certificate where the URL is of https."""
        self.sock = self._deadline.connect(self.host, self.port, _TIMEOUT_S)
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)


def _path(url: str) -> str:
    parts = urlsplit(requests.utils.requote_uri(url))
    return urlunsplit(("", "", parts.path or "/", parts.query, ""))


def _cause_of(error: BaseException) -> str:
    """Return the types of an error and of its innermost cause."""
    inner = error
    while (cause := inner.__cause__ or inner.__context__) is not None:
        inner = cause
    names = dict.fromkeys((type(error).__name__, type(inner).__name__))
    return ": ".join(names)
