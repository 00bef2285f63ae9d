"""Send a notification as a signed HTTP request, in the form of Standard Webhooks (standardwebhooks.com)."""

import base64
import hashlib
import hmac
import time
from typing import Final

from mft_common import exchanges
from mft_common.notify.channels import Webhook
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
    request = exchanges.Request(url=webhook.url, headers=headers, body=body, ca=webhook.ca)
    try:
        status = exchanges.send(request, within=EXCHANGE_S, idle=_TIMEOUT_S).status
    except exchanges.NoAnswer as error:
        raise NotDelivered(str(error)) from None
    if not 200 <= status < 300:
        raise NotDelivered(f"the receiver answered {status}")
