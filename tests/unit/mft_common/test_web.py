import io
import json
import logging

import pytest
import structlog
from flask import Response
from prometheus_client import REGISTRY

from mft_common import environ_keys, logs, web
from mft_common.errors import Unavailable
from mft_common.http1 import RequestBodyError
from mft_common.identity import Identity
from mft_common.identity_reader import IdentityReader


def test_methods_and_paths_that_a_client_makes_up_make_no_figures_of_their_own():
    """Invented methods are counted as one, and so are the paths of a route and those without a route."""
    app = web.create(
        "sample_svc",
        service="sample-svc",
        protocol="sample",
        identities=IdentityReader("sample-svc"),
        checks={},
        vendor_error=LookupError,
        render_error=lambda _error: Response(status=405),
    )
    environ = {environ_keys.IDENTITY: Identity(request_id="r1", address="127.0.0.1")}

    @app.get("/crates/<name>")
    def crate(name):
        return name

    for method in ("GET", "BREW", "WHEN"):
        app.test_client().open("/x", method=method, environ_overrides=environ)
    for path in ("/crates/a", "/crates/b"):
        assert app.test_client().get(path, environ_overrides=environ).status_code == 200
    labels = [
        (sample.labels["route"], sample.labels["method"], sample.labels["status"], sample.value)
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name == "mft_requests_total" and sample.labels["service"] == "sample-svc"
    ]
    assert sorted(labels) == [
        ("/crates/<name>", "GET", "200", 2.0),
        ("none", "GET", "405", 1.0),
        ("none", "other", "405", 2.0),
    ]


@pytest.fixture
def log():
    """Return the stream to which lines are written, as JSON."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    made = io.StringIO()
    logs.configure("sample-svc", stream=made)
    yield made
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


class VendorError(Exception):
    """An error of a vendor's protocol."""


@pytest.mark.parametrize(
    ("error", "events"),
    [
        (Unavailable("the disk is full"), ["service.unavailable"]),
        (VendorError("no right"), []),
        (RequestBodyError(400, "cut"), []),
        (ValueError("fault"), ["request.failed"]),
    ],
)
def test_faults_of_the_hub_alone_are_logged_with_a_traceback(log, error, events):
    """A dependency that is away is one line, and an error that the client made is none."""
    app = web.create(
        "sample_svc",
        service="sample-svc",
        protocol="sample",
        identities=IdentityReader("sample-svc"),
        checks={},
        vendor_error=VendorError,
        render_error=lambda _error: Response(status=503),
    )

    @app.get("/login")
    def login():
        raise error

    environ = {environ_keys.IDENTITY: Identity(request_id="r1", address="127.0.0.1")}
    assert app.test_client().get("/login", environ_overrides=environ).status_code == 503
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["event"] for line in lines] == events
    assert all(("raised_at" in line) is (line["event"] == "request.failed") for line in lines)
