"""The OpenAPI document: in step with the routes, and true."""

import base64
import re

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core import NOT_SET
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from filestore_svc.app import create_app
from filestore_svc.wire import openapi, tus
from mft_common import environ_keys
from tests.service.filestore_svc.filestore_lab import ALL, SECTION, Lab, identity_of
from tests.service.filestore_svc.test_resumable_uploads import TUS, _metadata

TRUE = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
BOUNDED = settings(max_examples=20, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
schemathesis.serializer.alias(tus.PIECE, "application/octet-stream")
OPERATIONS = sorted(
    (operation["operationId"], method.upper(), path)
    for path, methods in openapi.document()["paths"].items()
    for method, operation in methods.items()
)


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """The schema over a store in which part1 has every right on `/in`; the login has no account."""
    folders = {**SECTION["folders"], "/in": {"access": {"part1": [*ALL, "create"]}}}
    lab = Lab(tmp_path_factory.mktemp("openapi"), folders=folders)
    app = create_app(lab.service)

    def door(environ, start_response):
        account = "part1" if environ["PATH_INFO"] != "/2.0/login/basic" else None
        return app({**environ, environ_keys.IDENTITY: identity_of(account)}, start_response)

    for name in ("a", "b"):
        lab.put(f"/2.0/files/in/{name}")
    yield schemathesis.openapi.from_wsgi("/2.0/openapi.json", door)
    lab.close()


def test_it_is_served_without_a_session(lab):
    """The document needs no session: it holds no secrets."""
    answer = lab.get("/2.0/openapi.json", None)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json == openapi.document()
    assert answer.json["openapi"] == "3.1.0"


def test_it_is_in_step_with_the_routes(lab):
    """Every call of the vendor's and of tus's blueprint is in it, and every operation in it is a route."""
    rules = [rule for rule in create_app(lab.service).url_map.iter_rules() if rule.rule.startswith("/2.0")]
    served = {
        (method, rule.rule.replace("<tail:_tail>", "").replace("<_upload>", "<upload>"))
        for rule in rules
        for method in rule.methods - (set() if rule.endpoint.startswith("uploads.") else {"HEAD", "OPTIONS"})
    }
    told = {
        (method, re.sub(r"/?\{(?!upload\}).*", "", path).replace("{upload}", "<upload>"))
        for _, method, path in OPERATIONS
    }
    assert {rule.endpoint.partition(".")[0] for rule in rules} == {"vendor", "uploads"}
    assert told == served


@pytest.mark.parametrize(("name", "method", "path"), OPERATIONS, ids=[name for name, _, _ in OPERATIONS])
def test_every_answer_is_as_the_document_says(api, name, method, path):
    """No generated request gets a 5xx, and each response has a status, a type and members of the document."""
    operation = api[path][method]

    @BOUNDED
    @given(case=st.one_of(operation.as_strategy(), operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)))
    def hold(case):
        case.call_and_validate(checks=TRUE)

    hold()


def test_an_upload_in_pieces_is_as_the_document_says(api):
    """Each answer on the way to a file, and the refusals that only an upload that is there can meet."""
    called = []

    def call(method, path="/2.0/uploads", status=204, upload=None, body=NOT_SET, **headers):
        sent = {**TUS, **{name.replace("_", "-"): text for name, text in headers.items()}}
        media = {} if body is NOT_SET else {"body": body, "media_type": tus.PIECE}
        where = {} if upload is None else {"path_parameters": {"upload": upload}}
        answer = api[path][method].Case(headers=sent, **where, **media).call_and_validate(checks=TRUE)
        assert answer.status_code == status, answer.content
        called.append((method, path))
        return answer

    def of(method, upload, **more):
        return call(method, "/2.0/uploads/{upload}", upload=upload, **more)

    def begin(name):
        about = _metadata(f"/in/{name}", filetype="text/plain")
        made = call("POST", status=201, Upload_Length="5", Upload_Metadata=about)
        return made.headers["location"][0].rpartition("/")[2]

    call("OPTIONS")
    upload = begin("pieces")
    of("OPTIONS", upload)
    of("PATCH", upload, body=b"he", Upload_Offset="0")
    of("HEAD", upload, status=200)
    of("PATCH", upload, status=409, body=b"he", Upload_Offset="0")
    of("PATCH", upload, status=413, body=b"four", Upload_Offset="2")
    wrong = {"Upload_Checksum": "sha1 " + base64.b64encode(b"x" * 20).decode()}
    of("PATCH", upload, status=460, body=b"llo", Upload_Offset="2", **wrong)
    of("POST", upload, body=b"l", Upload_Offset="2", X_HTTP_Method_Override="PATCH")
    assert of("PATCH", upload, body=b"lo", Upload_Offset="3").headers["fileset"]
    of("HEAD", upload, status=200)
    of("DELETE", upload)
    upload = begin("pieces")
    of("POST", upload, status=200, body=b"", Upload_Offset="0", X_HTTP_Method_Override="HEAD")
    of("DELETE", upload)
    of("DELETE", upload, status=404)
    of("HEAD", upload, status=404)
    assert set(called) == {(method, path) for _, method, path in OPERATIONS if path.startswith("/2.0/uploads")}
