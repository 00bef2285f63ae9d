"""X1 through the gateway: uploads in pieces as their users see them, in both shapes."""

import base64
import random

from tests.e2e.clients import HttpMft, IbmMq
from tests.servers.processes import wait_until

TUS = {"Tus-Resumable": "1.0.0"}
TYPE = {"Content-Type": "application/offset+octet-stream"}


def _create(client, path, length):
    about = f"path {base64.b64encode(path.encode()).decode()}"
    headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": about}
    answer = client.http.post(f"{client.url}/2.0/uploads", headers=headers, timeout=20)
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


def test_pieces_become_a_file(hub):
    """Discovery, creation, pieces over several connections and web processes, and the file at the end."""
    client = HttpMft(hub.url)
    told = client.http.options(f"{hub.url}/2.0/uploads", timeout=20)
    assert (told.status_code, told.headers["Tus-Version"]) == (204, "1.0.0")
    content = random.Random(1).randbytes(3_000_000)
    where = _create(client, "/in/pieces", len(content))
    assert where.startswith(hub.url)
    fileset = None
    for start in range(0, len(content), 400_000):
        piece = content[start : start + 400_000]
        headers = {**TUS, **TYPE, "Upload-Offset": str(start), "Connection": "close"}
        answer = client.http.patch(where, piece, headers=headers, timeout=20)
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(start + len(piece)))
        fileset = answer.headers.get("Fileset", fileset)
    state = client.http.head(where, headers=TUS, timeout=20)
    assert (state.headers["Upload-Offset"], state.headers["Fileset"]) == (str(len(content)), fileset)
    assert client.get("in/pieces").content == content


def test_an_upload_that_is_ended_is_a_cancelled_transfer(hub):
    """The record of transfers knows it from the moment it was made, and how it ended."""
    client, mq = HttpMft(hub.url), IbmMq(hub.url)
    known = {one["id"] for one in mq.transfers()}
    where = _create(client, "/in/never", 10)
    wait_until(lambda: [one for one in mq.transfers() if one["id"] not in known], what="the record of its begin")
    assert client.http.delete(where, headers=TUS, timeout=20).status_code == 204
    assert client.http.head(where, headers=TUS, timeout=20).status_code == 404
    wait_until(
        lambda: [one for one in mq.transfers() if one["id"] not in known and one["status"]["state"] == "cancelled"],
        what="the record of its end",
    )
    assert client.get("in/never").status_code == 404
