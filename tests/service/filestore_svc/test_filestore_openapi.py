"""The OpenAPI document: in step with the routes, and true."""

import re

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from filestore_svc.app import create_app
from filestore_svc.wire import openapi
from mft_common.identity import ENVIRON_KEY
from tests.service.filestore_svc.filestore_lab import ALL, SECTION, Lab, whoever

TRUE = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
BOUNDED = settings(
    max_examples=20, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
OPERATIONS = sorted(
    (operation["operationId"], method.upper(), path)
    for path, methods in openapi.document()["paths"].items()
    for method, operation in methods.items()
)


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """The schema over a store in which part1 may do everything below `/in`, and calls without a cookie are nobody's."""
    folders = {**SECTION["folders"], "/in": {"access": {"part1": [*ALL, "create"]}}}
    lab = Lab(tmp_path_factory.mktemp("openapi"), folders=folders)
    app = create_app(lab.service)

    def door(environ, start_response):
        account = "part1" if environ["PATH_INFO"] != "/2.0/login/basic" else None
        return app({**environ, ENVIRON_KEY: whoever(account)}, start_response)

    for name in ("a", "b"):
        lab.put(f"/2.0/files/in/{name}")
    yield schemathesis.openapi.from_wsgi("/2.0/openapi.json", door)
    lab.close()


def test_it_is_served_without_a_session(lab):
    """Everybody may read it: it holds no secrets."""
    answer = lab.get("/2.0/openapi.json", None)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json == openapi.document()
    assert answer.json["openapi"] == "3.1.0"


def test_it_is_in_step_with_the_routes(lab):
    """Every call of the vendor's blueprint is in it, and every operation in it is a route."""
    served = {
        (method, rule.rule.partition("<")[0])
        for rule in create_app(lab.service).url_map.iter_rules()
        if rule.rule.startswith("/2.0") and rule.endpoint.startswith("vendor.")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    told = {(method, re.sub(r"/?\{.*", "", path)) for _, method, path in OPERATIONS}
    assert told == served


@pytest.mark.parametrize(("name", "method", "path"), OPERATIONS, ids=[name for name, _, _ in OPERATIONS])
def test_every_answer_is_as_the_document_says(api, name, method, path):
    """Whatever is sent, no answer is a 5xx, and each has a status, a type and members that the document knows."""
    operation = api[path][method]

    @BOUNDED
    @given(case=st.one_of(operation.as_strategy(), operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)))
    def hold(case):
        case.call_and_validate(checks=TRUE)

    hold()
