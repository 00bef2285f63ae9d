"""A real Prometheus scrapes a hub that works: every query of the alerts and of the dashboard has data."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.e2e.clients import Diplomat, HttpMft
from tests.servers.hub import OneMachine
from tests.servers.processes import free_port, program, wait_until
from tests.servers.prometheus import Prometheus

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = DEPLOY / "prometheus/alerts.yml"
RULES = {rule["alert"]: rule["expr"] for rule in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]}
DASHBOARD = json.loads((DEPLOY / "grafana/dashboards/crossdock.json").read_text())
# The threshold of an alert, without which its query has data also where nothing is wrong.
THRESHOLD = re.compile(r" (?:<|>|==) [\d.]+")


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A hub on one machine: the process of its gateway has the metrics of all."""
    made = OneMachine(tmp_path_factory.mktemp("hub"))
    try:
        yield made.start()
    finally:
        made.kill()


@pytest.fixture(scope="module")
def prometheus(hub, tmp_path_factory):
    """A Prometheus that scrapes the hub, and a worker that is not there."""
    targets = {"gateway": [f"127.0.0.1:{hub.port}"], "workers": [f"127.0.0.1:{free_port()}"]}
    with Prometheus(tmp_path_factory.mktemp("prometheus"), targets, ALERTS) as made:
        yield made


@pytest.fixture(scope="module")
def traffic(hub):
    """Return a function that uses the hub once: an upload, a download and a job."""
    client, jobs = HttpMft(hub.url), Diplomat(hub.url)

    def use():
        assert client.put("in/scraped", b"x" * 100).status_code == 201
        assert client.get("in/scraped").status_code == 200
        jobs.run("outboundSample", filename="301", ext="txt")
        return True

    return use


def queries():
    """Return the queries of the dashboard and of the alerts, the latter without thresholds."""
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return [*panels, *(THRESHOLD.sub("", expression) for expression in RULES.values())]


def without_data(prometheus):
    """Return the queries without a number that is one: a ratio or quantile of nothing is NaN."""
    return [query for query in queries() if not any(series["value"][1] != "NaN" for series in prometheus.query(query))]


def test_every_query_has_data(prometheus, traffic):
    """While the hub is used, no panel and no alert stays empty."""
    traffic()
    wait_until(lambda: traffic() and without_data(prometheus) == [], within=90, every=2, what="data for each query")


def test_every_alert_is_evaluated(prometheus):
    """A target that is away makes its alert pending; the rules of a hub that works make none of the others so."""
    wait_until(lambda: {rule["health"] for rule in prometheus.rules().values()} == {"ok"}, within=30, what="all rules")
    wait_until(lambda: prometheus.rules()["CrossdockProcessDown"]["state"] == "pending", within=30, what="the alert")
    wait_until(lambda: prometheus.query("count(mft_state_measured_timestamp_seconds)"), within=45, what="the workers")
    calm = set(RULES) - {"CrossdockProcessDown", "CrossdockWorkerUnknown", "CrossdockDiskNearlyFull"}
    assert {name: prometheus.rules()[name]["state"] for name in calm} == dict.fromkeys(calm, "inactive")


@pytest.mark.parametrize(
    "arguments",
    [("check", "config", "prometheus.yml"), ("check", "rules", "alerts.yml"), ("test", "rules", "alerts.test.yml")],
)
def test_promtool_accepts_configuration_and_rules(arguments):
    """The unit tests of the rules let each alert fire for its cause."""
    command = [program(["promtool"], "prometheus"), *arguments]
    done = subprocess.run(command, cwd=DEPLOY / "prometheus", capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_unit_test_that_fires_it_and_one_that_does_not():
    """An alert without a cause in the tests could be one that never fires."""
    tests = yaml.safe_load((DEPLOY / "prometheus/alerts.test.yml").read_text())["tests"]
    asked = [ask for test in tests for ask in test["alert_rule_test"]]
    assert {ask["alertname"] for ask in asked if ask.get("exp_alerts")} == set(RULES)
    assert {ask["alertname"] for ask in asked if not ask.get("exp_alerts")} == set(RULES)
