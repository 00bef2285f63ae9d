"""Send a notification as a mail over SMTP with TLS."""

import smtplib
import socket
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, Final

from mft_common.exchanges import Deadline
from mft_common.notify.channels import Mail, is_loopback
from mft_common.notify.errors import NotDelivered
from mft_common.notify.notifications import Notification

_TIMEOUT_S: Final = 20.0
EXCHANGE_S: Final = 60.0


def send(server: Mail, notification: Notification) -> None:
    """Send the notification to the mail address that is its target; NotDelivered where the server does not take it.

    The server's certificate is verified before the password is sent; a server without TLS gets neither password nor
    mail, but on loopback where the configuration says `none`.
    """
    try:
        message = _message(server, notification)
        with Deadline(EXCHANGE_S) as deadline:
            connection = _connect(server, deadline)
            try:
                if server.user:
                    connection.login(server.user, server.password)
                connection.send_message(message)
                # The mail is accepted: a failure to say goodbye must not send it again.
                with suppress(smtplib.SMTPException, OSError):
                    connection.quit()
            finally:
                connection.close()
    except smtplib.SMTPRecipientsRefused as error:
        codes = ", ".join(str(code) for code, _ in error.recipients.values())
        raise NotDelivered(f"the mail server refused the address ({codes})") from None
    except smtplib.SMTPResponseException as error:
        # The answer's text may repeat what it was sent.
        raise NotDelivered(f"the mail server answered {error.smtp_code} ({type(error).__name__})") from None
    except (smtplib.SMTPException, MessageError, OSError, ValueError) as error:
        raise NotDelivered(f"the mail was not sent ({type(error).__name__})") from None


class _Smtp(smtplib.SMTP):
    """A connection that the deadline covers from the look-up of the server's name on; so is that of the next class."""

    def __init__(self, deadline: Deadline, *arguments: Any, **more: Any) -> None:
        self._deadline = deadline
        super().__init__(*arguments, **more)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._deadline.connect(host, port, timeout)


class _Smtps(smtplib.SMTP_SSL, _Smtp):
    """The same with TLS from the first byte, in a socket that the deadline covers already."""

    def __init__(self, deadline: Deadline, *arguments: Any, **more: Any) -> None:
        self._deadline = deadline
        smtplib.SMTP_SSL.__init__(self, *arguments, **more)


def _connect(server: Mail, deadline: Deadline) -> smtplib.SMTP:
    # The name for EHLO: smtplib would ask the name service for this machine's, and tell it to the server.
    name = server.sender.rpartition("@")[2]
    if server.tls == "none":
        if not is_loopback(server.host):
            raise NotDelivered("a mail server without TLS may be on this machine alone")
        return _Smtp(deadline, server.host, server.port, name, _TIMEOUT_S)
    context = ssl.create_default_context(cafile=server.ca or None)
    if server.tls == "implicit":
        return _Smtps(deadline, server.host, server.port, name, timeout=_TIMEOUT_S, context=context)
    connection = _Smtp(deadline, server.host, server.port, name, _TIMEOUT_S)
    try:
        connection.starttls(context=context)
    except BaseException:
        connection.close()
        raise
    return connection


def _message(server: Mail, notification: Notification) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = server.sender
    message["To"] = notification.target
    message["Subject"] = notification.title
    message["Date"] = format_datetime(datetime.fromtimestamp(notification.created_at / 1000, UTC))
    # The same one at every attempt: mail programs show a message that came twice once.
    message["Message-ID"] = f"<{notification.id}@{server.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(notification.body)
    return message
