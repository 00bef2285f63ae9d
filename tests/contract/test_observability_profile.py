"""The compose profile that watches the hub: what it starts, what it mounts, and what it can scrape."""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
WATCHERS = ("prometheus", "grafana")
SCRAPES = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
(SOURCE,) = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
(PROVIDER,) = yaml.safe_load((ROOT / "deploy/grafana/provisioning/dashboards/crossdock.yml").read_text())["providers"]


def mounts(name):
    """Return the folders of this tree that a service mounts, as (folder, place, mode)."""
    parts = (volume.split(":") for volume in SERVICES[name]["volumes"])
    return [tuple(each) for each in parts if each[0].startswith("./")]


def test_the_default_profile_starts_the_hub_alone():
    """`docker compose up` starts neither of them, and no other service needs a profile."""
    assert [name for name, service in SERVICES.items() if "profiles" in service] == list(WATCHERS)
    for name, service in SERVICES.items():
        assert name in WATCHERS or not set(WATCHERS) & set(service.get("depends_on", ()))


@pytest.mark.parametrize("name", WATCHERS)
def test_a_watcher_reads_files_of_this_tree_and_is_published_on_loopback(name):
    """Files are mounted for reading alone, the container's file system is read-only, and loopback has the port."""
    service = SERVICES[name]
    assert service["profiles"] == ["observability"]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert mounts(name)
    for folder, _place, mode in mounts(name):
        assert (ROOT / folder).is_dir()
        assert mode == "ro"
    (port,) = service["ports"]
    assert ":-127.0.0.1:" in port


def test_prometheus_and_grafana_find_their_files_and_each_other():
    """Paths of the command and of the provisioning are mounted, and the data source is Prometheus' port."""
    assert "--config.file=/etc/prometheus/prometheus.yml" in SERVICES["prometheus"]["command"]
    assert mounts("prometheus") == [("./deploy/prometheus", "/etc/prometheus", "ro")]
    places = {place: ROOT / folder for folder, place, _mode in mounts("grafana")}
    assert (places["/etc/grafana/provisioning"] / "datasources/prometheus.yml").is_file()
    assert list(places[PROVIDER["options"]["path"]].glob("*.json"))
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (places[str(home.parent)] / home.name).is_file()
    assert SOURCE["url"] == "http://prometheus:9090"
    assert SERVICES["prometheus"]["ports"][0].endswith(":9090")


def test_prometheus_scrapes_each_web_process_and_each_worker():
    """Each service of the hub is a target at the port on which it answers Prometheus' network."""
    targets = {(name, found["port"]) for job in SCRAPES for found in job["dns_sd_configs"] for name in found["names"]}
    ours = {name for name in SERVICES if name.endswith(("-svc", "-worker")) or name == "gateway"}
    assert {name for name, _port in targets} == ours
    for name, port in targets:
        environment = SERVICES[name]["environment"]
        if name.endswith("-worker"):
            assert environment["MFT_WORKER_LISTEN"] == f"0.0.0.0:{port}"
        elif name == "gateway":
            assert environment["GATEWAY_INTERNAL_PORT"] == port
        else:
            assert str(port) in " ".join(SERVICES[name]["healthcheck"]["test"])
        assert environment["MFT_METRICS_FROM"]


def test_alerts_name_the_container_of_a_target():
    """Discovery gives addresses, so each job keeps the name, and the alert on what is away goes by it."""
    for job in SCRAPES:
        assert {"source_labels": ["__meta_dns_name"], "target_label": "process"} in job["relabel_configs"]
    rules = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"][0]["rules"]
    (away,) = [rule for rule in rules if rule["alert"] == "CrossdockProcessDown"]
    assert "by (job, process)" in away["expr"]
    assert "$labels.process" in away["annotations"]["summary"]
