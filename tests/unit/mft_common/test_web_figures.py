from flask import Response
from prometheus_client import REGISTRY

from mft_common import environ_keys, web
from mft_common.identity import Identity
from mft_common.identity_reader import IdentityReader


def test_methods_that_a_client_makes_up_make_no_figures_of_their_own():
    """However many methods a client invents, they are counted as one."""
    app = web.create(
        "sample_svc",
        service="sample-svc",
        protocol="sample",
        identities=IdentityReader("sample-svc"),
        checks={},
        render_error=lambda _error: Response(status=405),
    )
    environ = {environ_keys.IDENTITY: Identity(request_id="r1", address="127.0.0.1")}
    for method in ("GET", "BREW", "WHEN"):
        app.test_client().open("/x", method=method, environ_overrides=environ)
    labels = [
        (sample.labels["method"], sample.value)
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name == "mft_requests_total" and sample.labels["service"] == "sample-svc"
    ]
    assert sorted(labels) == [("GET", 1.0), ("other", 2.0)]
