"""The stored head of an upload's transfer, as other versions of the program wrote it."""

import dataclasses
import json

from filestore_svc.domain.resumable import Upload

HEAD = {
    "transfer_id": "41" * 24,
    "account": "part1",
    "address": "192.0.2.1",
    "label": "",
    "request_id": "r1",
    "submitted_at": 1_780_000_000_000,
    "source": "a.bin",
    "destination": "/in/a.bin",
    "if_exists": "overwrite",
}
UPLOAD = Upload(
    id="u1", path="/in/a.bin", owner="part1", length=10, datatype="B", head=json.dumps(HEAD), began_at=0, expires_at=1
)


def test_an_upload_survives_a_field_of_its_transfer_that_no_longer_exists():
    """A head with a field that this version does not know is the same transfer."""
    other = dataclasses.replace(UPLOAD, head=json.dumps({**HEAD, "withdrawn": True}))
    transfer = other.transfer()
    assert {name: getattr(transfer, name) for name in HEAD} == HEAD
