"""S35: passwords with each call, through the gateway's own pipeline, on and off."""

import base64
from pathlib import Path

import pytest
from werkzeug.test import Client

from filestore_svc.app import create_app
from filestore_svc.domain.files import RIGHTS
from gateway import bootstrap
from gateway.pipeline import Pipeline
from gateway.settings import Settings
from mft_common.config import Reader
from mft_common.http1 import WsgiUpstream
from mft_common.identity import SYSTEM
from tests.service.filestore_svc.filestore_lab import ALL, Lab, form
from tests.service.filestore_svc.test_filestore_matrix import CALLS
from tests.service.filestore_svc.test_resumable_uploads import TUS, TYPE, _metadata
from tests.service.filestore_svc.vendor_words import E_AUTH, E_CONF, ORIGIN, refused

CHALLENGE = 'Basic realm="HTTP MFT", charset="UTF-8"'
NAMES = ("part1", "reader1", "nocontract", "late", "none", *RIGHTS)


class Hub:
    """Gateway and filestore of one process; `basic` is the setting."""

    def __init__(self, folder, *, basic):
        folders = {
            "/in": {"access": {"part1": ALL}},
            "/m": {"access": {"part1": list(RIGHTS), **{right: [right] for right in RIGHTS}}},
        }
        accounts = {
            name: {
                "password": {"env": "PASSWORD"},
                "expired": name == "late",
                "grants": {"http_mft": {} if name == "nocontract" else {"contract": "std"}},
            }
            for name in NAMES
        }
        self.document = {
            "accounts": accounts,
            "http_mft": {"contracts": {"std": {}}, "folders": folders, "basic_auth": basic},
        }
        settings = Settings(database_url=f"sqlite:///{folder}/gateway/gateway.db", internal_keys=("a key",))
        self.gateway = bootstrap.build_with(settings, self.document, Reader(Path(), {"PASSWORD": "right"}))
        self.lab = Lab(folder, folders=folders, basic_auth=basic)
        self.lab.service.operations._directory = self.gateway.operations
        pipeline = Pipeline(
            own=self.gateway.pages(),
            upstreams={"filestore-svc": WsgiUpstream(create_app(self.lab.service))},
            directory=self.gateway.operations,
        )
        self.client = Client(pipeline, use_cookies=False)

    def call(self, method, path, account=None, password="right", *, headers=None, **more):
        """Send a request, with a password where an account is named."""
        pair = base64.b64encode(f"{account}:{password}".encode()).decode()
        sent = {**({"Authorization": f"Basic {pair}"} if account else {}), **(headers or {})}
        return self.client.open(path, method=method, headers=sent, buffered=True, **more)

    def put(self, path, account=None, **more):
        """Upload by PUT."""
        headers = {"Content-Type": "multipart/form-data; boundary=XbX", **more.pop("headers", {})}
        return self.call("PUT", f"/2.0/files{path}", account, headers=headers, data=form(b"hello"), **more)

    def cookies(self, account="part1"):
        """Log in; return the header that a client sends from then on."""
        data = {"username": account, "password": "right"}
        lines = self.call("POST", "/2.0/login/basic", data=data).headers.getlist("Set-Cookie")
        return {"Cookie": "; ".join(line.partition(";")[0] for line in lines)}

    def close(self):
        """Close both."""
        self.lab.close()
        self.gateway.close()


@pytest.fixture(scope="module", name="on")
def on_(tmp_path_factory):
    """A hub that takes passwords with each call."""
    made = Hub(tmp_path_factory.mktemp("on"), basic=True)
    yield made
    made.close()


@pytest.fixture(name="off")
def off_(tmp_path):
    """A hub as by default."""
    made = Hub(tmp_path, basic=False)
    yield made
    made.close()


def test_a_call_needs_nothing_but_the_password(on):
    """Upload, listing, metadata, download and deletion, each by itself."""
    assert on.put("/in/a", "part1").status_code == 201
    assert on.call("GET", "/2.0/countelements/in", "part1").data == b"1"
    assert on.call("GET", "/2.0/metadata/in/a", "part1").json["filename"] == "a"
    assert on.call("GET", "/2.0/files/in/a", "part1").data == b"hello"
    assert on.call("DELETE", "/2.0/files/in/a", "part1").status_code == 200


def test_an_upload_in_pieces_needs_nothing_but_the_password(on):
    """X1: each request of it, and no other account's."""
    about = {**TUS, "Upload-Length": "5", "Upload-Metadata": _metadata("/in/pieces")}
    where = on.call("POST", "/2.0/uploads", "part1", headers=about).headers["Location"]
    assert on.call("HEAD", where, "part1", headers=TUS).headers["Upload-Offset"] == "0"
    piece = {**TUS, **TYPE, "Upload-Offset": "0"}
    assert on.call("PATCH", where, "write", headers=piece, data=b"hello").status_code == 404
    refusal = on.call("PATCH", where, "part1", "wrong", headers=piece, data=b"hello")
    assert (refusal.status_code, refusal.headers["WWW-Authenticate"]) == (401, CHALLENGE)
    assert on.call("PATCH", where, "part1", headers=piece, data=b"hello").headers["Fileset"]
    assert on.call("GET", "/2.0/files/in/pieces", "part1").data == b"hello"


@pytest.mark.parametrize(
    ("account", "password", "expected"),
    [
        ("part1", "wrong", E_AUTH),
        ("part1", "", E_AUTH),
        ("stranger", "right", E_AUTH),
        (SYSTEM, "right", E_AUTH),
        ("late", "right", E_AUTH),
        ("nocontract", "right", E_CONF),
        (None, "", E_AUTH),
    ],
)
def test_refused_passwords(on, account, password, expected):
    """Every 401 says how a password may be sent, also where none was, or where the account has no contract."""
    answer = on.call("GET", "/2.0/files/in/a", account, password)
    assert refused(answer) == expected
    assert answer.headers.getlist("WWW-Authenticate") == [CHALLENGE]


def test_cookies_decide_where_there_are_any(on):
    """Live cookies win over the password of another account; a stale or single cookie is never a session."""
    live = on.cookies("reader1")
    assert on.call("GET", "/2.0/files/in/a", "part1", headers=live).status_code == 403
    for cookie in ("sp-http-usr=part1; sp-http-ses=gone", "sp-http-usr=part1", "sp-http-ses=gone"):
        assert refused(on.call("GET", "/2.0/files/in/a", "part1", headers={"Cookie": cookie})) == E_AUTH
    assert on.call("GET", "/2.0/countelements/in", "part1", headers={"Cookie": "theme=dark"}).status_code == 200


@pytest.mark.parametrize("cookie", ["", "sp-http-usr=part1; sp-http-ses=gone"])
def test_another_sites_page_cannot_use_a_remembered_password(on, cookie):
    """S34: browsers send a password that they asked for once with any page's requests, as they do cookies."""
    external = {"Origin": "http://elsewhere.test", **({"Cookie": cookie} if cookie else {})}
    assert refused(on.put("/in/foreign", "part1", headers=external)) == (E_AUTH if cookie else ORIGIN)
    assert refused(on.put("/in/foreign", "part1", headers={**external, **on.cookies()})) == ORIGIN
    assert on.put("/in/own", "part1", headers={"Origin": "http://localhost"}).status_code == 201


@pytest.mark.parametrize("account", ["part1", "none", *RIGHTS])
@pytest.mark.parametrize("endpoint", CALLS)
def test_passwords_give_the_rights_of_sessions(on, endpoint, account):
    """A password gives the same rights in a folder as a session, in every call of the matrix."""
    file = on.put("/m/f", "part1").json["fileset"]
    method, right, kind, how, _ = CALLS[endpoint]
    url = {"folder": "/m", "file": "/m/f", "new": f"/m/{account}", "id": f"/{file}"}[kind]
    answer = on.call(method, f"/2.0/{endpoint.partition('-')[0]}{url}", account, **how)
    assert answer.status_code == 403 if account not in ("part1", right) else answer.status_code in (200, 201)


def test_a_logout_without_a_session(on):
    """There is nothing to end, and that is no error (X3)."""
    assert on.call("POST", "/2.0/logout", "part1").status_code == 200


def test_the_document_offers_basic(on, off):
    """Where it is on, a password is a way to call; where it is off, there is none."""
    told = on.call("GET", "/2.0/openapi.json").json
    assert told["security"] == [{"user": [], "session": []}, {"basic": []}]
    assert told["components"]["securitySchemes"]["basic"]["scheme"] == "basic"
    silent = off.call("GET", "/2.0/openapi.json").json
    assert silent["security"] == [{"user": [], "session": []}]
    assert list(silent["components"]["securitySchemes"]) == ["user", "session"]


def test_guessing_is_braked(tmp_path):
    """S33: the login throttle counts each guess; a login is refused as well then, and an open session goes on."""
    hub = Hub(tmp_path, basic=True)
    session = hub.cookies()
    answers = [hub.call("GET", "/2.0/files/in/a", "part1", f"guess {number}") for number in range(22)]
    assert [answer.status_code for answer in answers] == [401] * 20 + [429] * 2
    assert refused(answers[-1]) == (429, "Too many attempts", "authentication")
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert "WWW-Authenticate" not in answers[-1].headers
    login = hub.call("POST", "/2.0/login/basic", data={"username": "part1", "password": "right"})
    assert login.status_code == 429
    assert hub.call("GET", "/2.0/countelements/in", "part1").status_code == 429
    assert hub.call("GET", "/2.0/countelements/in", headers=session).status_code == 200
    hub.close()


def test_a_remembered_password_is_not_braked(tmp_path):
    """A client with a right password continues while another one guesses from the same address."""
    hub = Hub(tmp_path, basic=True)
    assert hub.call("GET", "/2.0/countelements/in", "part1").status_code == 200
    for number in range(21):
        hub.call("GET", "/2.0/countelements/in", "reader1", f"guess {number}")
    assert hub.call("GET", "/2.0/countelements/in", "part1").status_code == 200
    hub.close()


def test_off_the_header_is_ignored(off):
    """By default a password is ignored, right or wrong: it is no guess, and no 401 has a challenge."""
    for number in range(25):
        answer = off.call("GET", "/2.0/files/in/a", "part1", "right" if number % 2 else "wrong")
        assert refused(answer) == E_AUTH
        assert "WWW-Authenticate" not in answer.headers
    live = off.cookies()
    assert off.call("GET", "/2.0/countelements/in", "reader1", "wrong", headers=live).status_code == 200


def test_it_is_switched_while_the_hub_runs(off):
    """A change by another process holds with the next request, also for a cached password."""
    reader = Reader(Path(), {"PASSWORD": "right"})
    for basic, status in ((True, 200), (False, 401), (True, 200)):
        section = {**off.document["http_mft"], "basic_auth": basic}
        bootstrap.build_with(off.gateway.settings, {**off.document, "http_mft": section}, reader).close()
        assert off.call("GET", "/2.0/countelements/in", "part1").status_code == status
