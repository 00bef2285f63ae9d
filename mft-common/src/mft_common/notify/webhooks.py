"""Send a notification as a signed HTTP request, in the form of Standard Webhooks (standardwebhooks.com)."""

import base64
import hashlib
import hmac
import time
from typing import Final

import requests

from mft_common.notify.channels import Webhook
from mft_common.notify.errors import NotDelivered
from mft_common.notify.notifications import Notification

_TIMEOUT_S: Final = (10.0, 20.0)


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
    with requests.Session() as session:
        session.trust_env = False
        try:
            response = session.post(
                webhook.url, data=body, headers=headers, allow_redirects=False, stream=True, timeout=_TIMEOUT_S,
                verify=webhook.ca or True,
            )  # fmt: skip
        except (requests.RequestException, OSError, ValueError) as error:
            # The texts of these errors name the URL.
            raise NotDelivered(f"the request failed ({_cause_of(error)})") from None
        response.close()
    if not 200 <= response.status_code < 300:
        raise NotDelivered(f"the receiver answered {response.status_code}")


def _cause_of(error: BaseException) -> str:
    """Return the types of an error and of its innermost cause."""
    inner = error
    while (cause := inner.__cause__ or inner.__context__) is not None:
        inner = cause
    names = dict.fromkeys((type(error).__name__, type(inner).__name__))
    return ": ".join(names)
