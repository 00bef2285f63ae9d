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
# The whole exchange, from the connection to the status line and the header of the answer.
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
        with Deadline(EXCHANGE_S) as deadline, contextlib.closing(_connection(webhook)) as connection:
            connection.connect()
            deadline.guard(connection.sock)
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


def _connection(webhook: Webhook) -> http.client.HTTPConnection:
    parts = urlsplit(webhook.url)
    assert parts.hostname is not None
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=_TIMEOUT_S)
    context = ssl.create_default_context(cafile=webhook.ca or None)
    return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=_TIMEOUT_S, context=context)


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
