"""The receivers of notifications that a configuration may name."""

import pytest

from mft_common.notify import Mail, Webhook


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.org/x",
        "ftp://hooks.example.org/",
        "https://user:word@hooks.example.org/",
        "https:///x",
        "hooks.example.org",
    ],
)
def test_a_webhook_is_an_https_url_without_a_user(url):
    """Without TLS the body could be read and changed on its way."""
    with pytest.raises(ValueError, match="webhook"):
        Webhook(url=url, secret="s")


def test_a_webhook_has_a_secret_and_may_be_on_loopback_without_tls():
    """An empty key would sign nothing."""
    assert Webhook(url="http://127.0.0.1:8000/x", secret="s").secret == "s"
    with pytest.raises(ValueError, match="secret"):
        Webhook(url="https://hooks.example.org/", secret="")


def test_a_mail_server_is_named_by_a_url():
    """`smtp:` demands STARTTLS, `smtps:` speaks TLS at once; a password without a user belongs to the sender."""
    plain = Mail.of_url("smtp://mail.example.org", sender="hub@example.org", password="p")
    assert (plain.host, plain.port, plain.tls, plain.user) == ("mail.example.org", 587, "starttls", "hub@example.org")
    secure = Mail.of_url("smtps://mail.example.org:4650", sender="hub@example.org")
    assert (secure.port, secure.tls, secure.user) == (4650, "implicit", "")


@pytest.mark.parametrize(
    ("url", "sender"),
    [
        ("http://mail.example.org", "hub@example.org"),
        ("smtp://user:word@mail.example.org", "hub@example.org"),
        ("smtp://mail.example.org/x", "hub@example.org"),
        ("smtp://", "hub@example.org"),
        ("smtp://mail.example.org", "hub"),
        ("smtp://mail.example.org", "hub@example.org\nBcc: a@b.test"),
    ],
)
def test_other_mail_servers_and_senders_are_refused(url, sender):
    """A password in the URL would end in places that show URLs."""
    with pytest.raises(ValueError, match="mail"):
        Mail.of_url(url, sender=sender)
