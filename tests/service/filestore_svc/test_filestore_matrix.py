"""Every kind of account at every endpoint in every state of a folder, against a model of ten lines."""

import json

import pytest

from filestore_svc.domain.files import RIGHTS
from tests.service.filestore_svc.filestore_lab import Lab
from tests.service.filestore_svc.vendor_words import (
    E_AUTH,
    E_CONF,
    E_DSYN,
    E_LPATH,
    E_NOFILE,
    E_NOSET,
    E_W,
    NO_CREATE,
    e_id,
    e_path,
    multipart,
    part,
    refused,
    with_metadata,
)

# In the folder `/m`, and in its child without a list, each account has what its name says; in `/m/own`, which has a
# list of its own, the right that comes after it.
HELD = {"full": set(RIGHTS), **{right: {right} for right in RIGHTS}, "none": set()}
NEXT = {"full": set(RIGHTS), "none": set(), **{right: {RIGHTS[RIGHTS.index(right) - 1]} for right in RIGHTS}}
NOBODIES = {"nocontract": E_CONF, "no session": E_AUTH}
STATES = {"exists": "/m", "inherits": "/m/child", "own list": "/m/own", "missing": "/m/missing", "root": ""}

FORM = multipart(part("file", b"x"))
TEXT = {"data": json.dumps({"a": "b"}), "headers": {"Content-Type": "application/json"}}
# Endpoint: method, right, what its URL ends in, how it is called, what it answers at the root.
CALLS = {
    "files-PUT": ("PUT", "write", "file", FORM, E_NOFILE),
    "files-POST": ("POST", "write", "folder", with_metadata("f"), E_W),
    "files-GET": ("GET", "read", "file", {}, E_NOFILE),
    "files-HEAD": ("HEAD", "read", "file", {}, E_NOFILE),
    "files-DELETE": ("DELETE", "delete", "file", {}, E_DSYN),
    "fileset-GET": ("GET", "read", "id", {}, E_NOSET),
    "fileset-HEAD": ("HEAD", "read", "id", {}, E_NOSET),
    "fileset-DELETE": ("DELETE", "delete", "id", {}, E_NOSET),
    "metadata-POST": ("POST", "write", "file", TEXT, E_NOFILE),
    "metadata-GET": ("GET", "read", "file", {}, E_NOFILE),
    "metadatabyid-POST": ("POST", "write", "id", TEXT, E_NOSET),
    "metadatabyid-GET": ("GET", "read", "id", {}, E_NOSET),
    "countelements-GET": ("GET", "list", "folder", {}, None),
    "directories-GET": ("GET", "list", "folder", {}, None),
    "directories-POST": ("POST", "create", "new", {}, NO_CREATE),
}


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    """A store with one file in each folder, whose filesets it knows."""
    folders = {
        "/m": {"access": {name: sorted(held) for name, held in HELD.items() if held}},
        "/m/child": {},
        "/m/own": {"access": {name: sorted(held) for name, held in NEXT.items() if held}},
    }
    lab = Lab(tmp_path_factory.mktemp("matrix"), folders=folders)
    lab.filesets = {}
    lab.made = 0
    yield lab
    lab.close()


def _expected(endpoint, state, account):
    """Return the refusal, or None where the call succeeds."""
    _, right, kind, _, at_root = CALLS[endpoint]
    if account in NOBODIES:
        return NOBODIES[account]
    if state == "root":
        return at_root
    if state == "missing" and kind == "id":
        return e_id(4711)
    if right not in (NEXT if state == "own list" else HELD)[account]:
        return 403, f"No {right} permission", "authorization"
    if state != "missing":
        return None
    return E_LPATH if endpoint.startswith(("countelements", "directories")) else e_path("m/missing")


def _url(lab, endpoint, state):
    folder, kind = STATES[state], CALLS[endpoint][2]
    if kind == "new":
        lab.made += 1
    which = {"folder": folder, "file": f"{folder}/f", "new": f"{folder}/n{lab.made}"}
    which["id"] = "/" if state == "root" else f"/{lab.filesets.get(folder, 4711)}"
    return f"/2.0/{endpoint.partition('-')[0]}{which[kind]}"


def _refill(lab):
    for folder in ("/m", "/m/child", "/m/own"):
        found = lab.get(f"/2.0/metadata{folder}/f", "full")
        if found.status_code == 404:
            found = lab.put(f"/2.0/files{folder}/f", b"x", "full")
        lab.filesets[folder] = found.json["fileset"]


@pytest.mark.parametrize("account", [*HELD, *NOBODIES])
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("endpoint", CALLS)
def test_the_right_decides_every_call(matrix, endpoint, state, account):
    """The refusals come in the order session, contract, URL, right of the folder, existence."""
    _refill(matrix)
    method, _, _, how, _ = CALLS[endpoint]
    answer = matrix.call(method, _url(matrix, endpoint, state), None if account == "no session" else account, **how)
    expected = _expected(endpoint, state, account)
    if expected is None:
        assert answer.status_code in (200, 201), answer.data
    elif method == "HEAD":
        assert (answer.status_code, answer.data) == (expected[0], b"")
    else:
        assert refused(answer, timestamp=endpoint != "files-POST") == expected
