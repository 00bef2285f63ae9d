"""The deadline of a notification covers its way to the receiver: the name, every address, and the TLS handshake."""

import json
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from mft_common.notify import Mail, NotDelivered, Webhook, mail, mails, webhook, webhooks
from tests.servers.dripping import Dripping
from tests.servers.made_secrets import secret
from tests.servers.own_network import in_own_network
from tests.servers.stopwatch import Stopwatch

ROOT = Path(__file__).parents[3]
SECRET = secret("hook-secret")
# Sends one notification to a name that is looked up in vain, or that has several addresses of which none answers.
PROGRAM = textwrap.dedent("""
    import json, socket, sys, time
    from dataclasses import replace
    from mft_common.notify import Mail, NotDelivered, Webhook, mail, mails, webhook, webhooks
    from tests.servers.own_network import start_loopback

    kind, addresses = sys.argv[1], sys.argv[2:]
    start_loopback()
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 53))
    full = []
    for address in addresses:
        full.append(socket.create_server((address, 8080), backlog=0))
        for _ in range(4):
            full.append(socket.socket())
            full[-1].setblocking(False)
            full[-1].connect_ex((address, 8080))
    webhooks.EXCHANGE_S = mails.EXCHANGE_S = 1.0
    began = time.monotonic()
    try:
        if kind == "webhook":
            webhooks.send(Webhook(url="https://partner.test:8080/", secret="s" * 24), webhook("w", "k", {}, 1))
        else:
            server = Mail(host="partner.test", port=8080, sender="hub@crossdock.test")
            mails.send(server, replace(mail(["a@x.test"], "s", "t", 1)[0], id="m1"))
    except NotDelivered as error:
        print(json.dumps({"reason": str(error), "seconds": time.monotonic() - began}))
""")


@pytest.mark.parametrize("kind", ["webhook", "mail"])
@pytest.mark.parametrize("addresses", [(), ("127.0.0.2", "127.0.0.3", "127.0.0.4")], ids=["name", "addresses"])
def test_a_name_or_addresses_that_do_not_answer_are_given_up_in_time(tmp_path, kind, addresses):
    """A name service that is silent for ten seconds, and three addresses that each are for another ten."""
    hosts = "".join(f"{address} partner.test\n" for address in addresses)
    resolver = "nameserver 127.0.0.1\noptions timeout:5 attempts:2\n"
    command = in_own_network(
        [sys.executable, "-c", PROGRAM, kind, *addresses], tmp_path, hosts=hosts, resolver=resolver
    )
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["seconds"] < 4, told
    assert "TimeoutError" in told["reason"]


def send(kind, port):
    """Send one notification over TLS to a port of loopback."""
    if kind == "webhook":
        webhooks.send(Webhook(url=f"https://127.0.0.1:{port}", secret=SECRET), webhook("w", "k", {}, 1))
    else:
        server = Mail(host="127.0.0.1", port=port, sender="hub@crossdock.test", tls="implicit")
        mails.send(server, replace(mail(["a@x.test"], "s", "t", 1)[0], id="m1"))


@pytest.mark.parametrize("kind", ["webhook", "mail"])
def test_a_handshake_that_drips_is_given_up_in_time(kind, monkeypatch):
    """A record of TLS of which one byte comes after another, each well within a read's limit."""
    monkeypatch.setattr(webhooks, "EXCHANGE_S", 0.5)
    monkeypatch.setattr(mails, "EXCHANGE_S", 0.5)
    slow = Dripping(b"\x16\x03\x03\x40\x00")
    since = Stopwatch()
    try:
        with pytest.raises(NotDelivered):
            send(kind, slow.port)
        assert since.seconds < 5
    finally:
        slow.close()
