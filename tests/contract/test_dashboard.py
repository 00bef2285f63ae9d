"""The files that Grafana is provisioned with agree with each other, and with the metrics of the program."""

import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "deploy/grafana"
DASHBOARD = json.loads((GRAFANA / "dashboards/crossdock.json").read_text())
PANELS = DASHBOARD["panels"]
(SOURCE,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
(PROVIDER,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/crossdock.yml").read_text())["providers"]
DOCUMENTED = set(re.findall(r"^\| `(mft_\w+)` \|", (ROOT / "docs/operations.md").read_text(), re.MULTILINE))
ALERTS = (ROOT / "deploy/prometheus/alerts.yml").read_text()


def metrics_of(text):
    """Return the metrics of a query; a histogram's buckets are the histogram."""
    return {name.removesuffix("_bucket") for name in re.findall(r"\bmft_\w+", text)}


def test_panels_have_ids_of_their_own_and_places_of_their_own():
    """Two panels of one id would show as one, and two in one place would cover each other."""
    ids = [panel["id"] for panel in PANELS]
    assert len(ids) == len(set(ids)) > 0
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in PANELS)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_each_panel_asks_the_provisioned_data_source_for_metrics_of_the_hub(panel):
    """Each target has a query, a legend and a letter, and its metrics are those that the page lists."""
    assert panel["title"]
    assert panel["description"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    letters = [target["refId"] for target in panel["targets"]]
    assert len(letters) == len(set(letters))
    for asked in (panel, *panel["targets"]):
        assert asked["datasource"] == {"type": SOURCE["type"], "uid": SOURCE["uid"]}
    for target in panel["targets"]:
        assert target["legendFormat"]
        assert metrics_of(target["expr"]) <= DOCUMENTED
        assert metrics_of(target["expr"]) or "up" in target["expr"]


def test_the_dashboard_shows_what_operators_ask_first():
    """Requests, latency, errors, transfers, bytes, queues, the outbox, sessions and workers each have a panel."""
    shown = set().union(*(metrics_of(target["expr"]) for panel in PANELS for target in panel["targets"]))
    assert shown == DOCUMENTED


def test_alerts_use_metrics_of_the_page():
    """A metric that was renamed would leave an alert without data."""
    assert metrics_of(ALERTS) <= DOCUMENTED


def test_the_dashboard_can_be_loaded_again():
    """An id of a database would clash; the name in its address stays the same."""
    assert "id" not in DASHBOARD
    assert re.fullmatch(r"[a-z-]{1,40}", DASHBOARD["uid"])
    assert PROVIDER["type"] == "file"
