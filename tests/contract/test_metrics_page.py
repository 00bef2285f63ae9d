"""The page on metrics and the metrics that the hub's programs define agree."""

import re
from pathlib import Path

import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

import crossdock.hub
from mft_common import state_metrics

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/operations.md").read_text()
SUFFIX = {"counter": "_total", "gauge": "", "histogram": ""}


def defined():
    """Return the type and labels of each metric of the program by its name."""
    assert crossdock.hub.PACKAGES
    assert state_metrics.OUTBOX
    found = {one for one in set(REGISTRY._collector_to_names) if isinstance(one, MetricWrapperBase)}
    return {
        f"{one._name}{SUFFIX[one._type]}": (one._type, tuple(one._labelnames))
        for one in found
        if one._name.startswith("mft_")
    }


def documented():
    """Return the type and labels of each metric by its name, as the page's table has them."""
    rows = re.findall(r"^\| `(mft_\w+)` \| (\w+) \| ([^|]+) \| ([^|]+) \| .+ \|$", PAGE, re.MULTILINE)
    return {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, _unit, labels in rows}


def test_the_page_lists_each_metric_with_its_type_and_labels():
    """A metric that the page lacks, or has with other labels, is found; so is one that is gone."""
    assert documented() == defined()


def test_the_page_says_what_to_do_for_each_alert():
    """The table of alerts has those of the rules, in their order."""
    rules = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"][0]["rules"]
    rows = re.findall(r"^\| `(Crossdock\w+)` \| [^|]+ \| [^|]{20,} \|$", PAGE, re.MULTILINE)
    assert rows == [rule["alert"] for rule in rules]


def test_units_of_metrics_are_in_their_names():
    """A unit of the page that is seconds or bytes is in the metric's name, as Prometheus asks for."""
    rows = re.findall(r"^\| `(mft_\w+)` \| \w+ \| (seconds|bytes)", PAGE, re.MULTILINE)
    assert rows
    assert [name for name, unit in rows if unit not in name] == []
