"""Ask a whole hub for its record of many transfers, through the gateway, by Basic and by a token; for record.py."""

import base64
import http.client
import json
import time

from mft_common.database import Database
from mqmft_svc import SERVICE
from mqmft_svc.migrations import HEAD
from mqmft_svc.store.tables import metadata
from tests.servers.hub import OneMachine
from tests.service.mqmft_svc.mqmft_hub import transfer_id

REST = "/ibmmq/rest/v2"
PATH = f"{REST}/admin/mft/transfer"
REQUESTS = 200
LIMIT = 100
# As many requests a second as item 240 names.
PAUSE_S = 1 / 20


def ask_the_hub(folder, rows, fill):
    """Yield a name and the milliseconds of its requests, for each kind of request and of credentials.

    `fill(database, rows)` stores the transfers while the hub does not run.
    """
    hub = OneMachine(folder, env={"MFT_LOG_LEVEL": "warning"})
    hub.start().stop()
    url = f"sqlite:///{hub.data}/state/mqmft-svc/mqmft.db"
    database = Database(url, schema=SERVICE, metadata=metadata, migrations="mqmft_svc.migrations", head=HEAD)
    fill(database, rows)
    database.close()
    hub.start()
    try:
        for kind, headers in (("Basic", basic()), ("token", token(hub.port))):
            for name, path in (("list", lambda _number: f"?limit={LIMIT}"), ("one", lambda number: f"/{deep(number)}")):
                yield f"{name}, {kind}", asked(hub.port, headers, path)
    finally:
        hub.stop()
        hub.kill()


def deep(number):
    """Return the id of a transfer deep in the past."""
    return transfer_id(100_000 + number)


def basic():
    """Return the header of Basic authentication."""
    return {"Authorization": "Basic " + base64.b64encode(b"mftadmin:mftadmin").decode()}


def token(port):
    """Log in and return the header with the token's cookie."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    body = json.dumps({"username": "mftadmin", "password": "mftadmin"})
    connection.request("POST", f"{REST}/login", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 204, answer.read()
    return {"Cookie": answer.getheader("Set-Cookie").partition(";")[0]}


def asked(port, headers, path):
    """Return the milliseconds of each request, each over a connection of its own as curl opens it."""
    times = []
    for number in range(REQUESTS + 5):
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", PATH + path(number), headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        times.append((time.perf_counter() - began) * 1000)
        assert answer.status == 200, body
        time.sleep(PAUSE_S)
    return times[5:]
