"""The commands and examples of docs/kubernetes.md fit the manifests."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from crossdock.environment import DATABASES
from tests.deploy.manifests import OVERLAYS, ROOT, TREE, kustomize, named, of_kind, overlay, pods, secrets_of, selects
from tests.servers.processes import program

PAGE = (ROOT / "docs/kubernetes.md").read_text()
# Each fenced block of the page, as (language, text).
BLOCKS = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [
    command.strip()
    for language, block in BLOCKS
    if not language
    for line in block.splitlines()
    for command in line.split(" | ")
    if command.strip().startswith(("kubectl ", "deploy/", "kind load"))
]
EXAMPLES = [yaml.safe_load(textwrap.dedent(block)) for language, block in BLOCKS if language == "yaml"]
KINDS = {"deployment": "Deployment", "job": "Job", "service": "Service", "statefulset": "StatefulSet"}
# Made by a command or an example of the page itself.
MADE = {"operator.yaml", "restore.yaml", "-"}


def every_document():
    return [document for name in OVERLAYS for document in overlay(name)]


def example(kind, name=None):
    """Return the example of the page that has that key, or is of that kind and has that name."""
    found = [one for one in EXAMPLES if kind in one or one.get("kind") == kind]
    (only,) = [one for one in found if name is None or one["metadata"]["name"] == name]
    return only


def test_the_page_has_commands():
    """Commands are found in the page, so that the other tests have something to look at."""
    assert len(COMMANDS) > 35


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_a_command_names_what_is_there(command):
    """Folders and files exist; Deployments, Jobs, Services and labels are those of the manifests."""
    documents = every_document()
    for option, path in re.findall(r"(-k|-f|kustomize) (\S+)", command):
        assert path in MADE or (ROOT / path).exists(), option
    if command.startswith("deploy/"):
        assert (ROOT / command.split()[0]).stat().st_mode & 0o111
    names = {(one["kind"], one["metadata"]["name"]) for one in documents}
    for kind, name in re.findall(r"\b(deployment|job|service|statefulset)/([\w-]+)", command):
        assert (KINDS[kind], name) in names
    for name in re.findall(r"delete job (\S+)", command):
        assert ("Job", name) in names
    for name in re.findall(r"scaledobject ([\w-]+)", command):
        assert ("ScaledObject", name) in names
    for name in re.findall(r"\b([a-z]+)-0\b", command):
        assert ("StatefulSet", name) in names
    for key, values in re.findall(r"([\w./-]+) in \(([\w,-]+)\)", command):
        for value in values.split(","):
            selector = {"matchLabels": {key: value}}
            assert [one for one in documents if selects(selector, one["metadata"].get("labels", {}))]
    for key, value in re.findall(r"-l ([\w./-]+)=([\w-]+)", command):
        assert [one for one in of_kind(documents, "Deployment") if one["metadata"]["labels"].get(key) == value]


@pytest.mark.parametrize(("name", "pattern"), [("prod", r"that is ([\d,]+)"), ("keda", r"workers and ([\d,]+)")])
def test_the_page_adds_up_the_connections_of_all_processes(name, pattern):
    """Each process holds 16 connections at most, and each pod of web processes has two of them."""
    documents = overlay(name)
    processes = {one["metadata"]["name"]: one["spec"].get("replicas", 0) for one in of_kind(documents, "Deployment")}
    for one in of_kind(documents, "HorizontalPodAutoscaler"):
        processes[one["spec"]["scaleTargetRef"]["name"]] = 2 * one["spec"]["maxReplicas"]
    for one in of_kind(documents, "ScaledObject"):
        processes[one["spec"]["scaleTargetRef"]["name"]] = one["spec"]["maxReplicaCount"]
    assert re.search(pattern, PAGE)[1] == f"{16 * sum(processes.values()):,}"


def test_the_first_part_of_an_upgrade_has_all_that_the_migration_needs():
    """The labels by which the page applies a part take the Job and each ConfigMap that it reads."""
    documents = overlay("prod")
    labels = re.search(r"component in \(configuration,migration\)", PAGE)
    assert labels
    part = [
        one
        for one in documents
        if one["metadata"].get("labels", {}).get("app.kubernetes.io/component") in ("configuration", "migration")
    ]
    assert {one["kind"] for one in part} == {"ConfigMap", "Job"}
    pod = pods(part)["migrate"]["spec"]
    wanted = {one["configMap"]["name"] for one in pod["volumes"] if "configMap" in one}
    wanted |= {one["envFrom"][0]["configMapRef"]["name"] for one in (*pod["initContainers"], *pod["containers"])}
    assert {one["metadata"]["name"] for one in of_kind(part, "ConfigMap")} == wanted


def test_the_pod_that_restores_is_valid_and_confined():
    """The example is valid, runs as the user of the hub and mounts the volume of dev."""
    pod = example("Pod", "restore")
    kubernetes_validate.validate(pod, "1.37", strict=True)
    claim = pod["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"]
    named(overlay("dev"), "PersistentVolumeClaim", claim)
    hub = pods(overlay("dev"))["filestore-svc"]["spec"]
    assert pod["spec"]["securityContext"] == hub["securityContext"]
    assert pod["spec"]["containers"][0]["securityContext"] == hub["containers"][0]["securityContext"]


def test_the_configuration_of_prod_is_validated_by_the_command_of_the_page(tmp_path):
    """The command finds the files of Secrets where `make-secrets` has written them."""
    made = shutil.ignore_patterns("*.env", "host.key", "machine-id", "alice")
    shutil.copytree(TREE, tmp_path / "deploy/k8s", ignore=made)
    subprocess.run([sys.executable, tmp_path / "deploy/k8s/make-secrets", "prod"], check=True, capture_output=True)
    ((command,),) = [lines for _, block in BLOCKS if "crossdock check" in (lines := block.splitlines())[0]]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_pod_of_the_command_has_and_reaches_what_the_command_needs(name):
    """The example gets each database and the broker, and the policies take it for a worker; no Service leads to it."""
    pod, documents = example("Pod", "operator"), overlay(name)
    kubernetes_validate.validate(pod, "1.37", strict=True)
    worker, (container,) = pods(documents)["diplomat-worker"], pod["spec"]["containers"]
    assert pod["spec"]["securityContext"] == worker["spec"]["securityContext"]
    assert container["securityContext"] == worker["spec"]["containers"][0]["securityContext"]
    used = [one["secretRef"]["name"] for one in container["envFrom"]]
    given = {key for one in secrets_of(name) if one["metadata"]["name"] in used for key in one["data"]}
    assert given >= {"MFT_AMQP_URL", *(f"{prefix}_DATABASE_URL" for prefix in DATABASES)}
    labels = pod["metadata"]["labels"]
    policies = of_kind(documents, "NetworkPolicy")
    mine = {one["metadata"]["name"] for one in policies if selects(one["spec"]["podSelector"], labels)}
    assert mine == {"default-deny", "names", "to-postgres", "to-rabbitmq"}
    assert not [one for one in of_kind(documents, "Service") if one["spec"]["selector"].items() <= labels.items()]


def changed_prod(tmp_path, change):
    """Render a copy of the overlay prod after `change(kustomization)`."""
    tree = shutil.copytree(TREE, tmp_path / "k8s")
    path = tree / "overlays/prod/kustomization.yaml"
    kustomization = yaml.safe_load(path.read_text())
    change(kustomization)
    path.write_text(yaml.safe_dump(kustomization))
    return kustomize(path.parent)


def test_a_hub_without_a_shared_volume_renders(tmp_path):
    """With the patches of the page no pod mounts a claim, and each has the folder of its own instead."""

    def change(kustomization):
        kustomization["resources"].remove("volume.yaml")
        kustomization["patches"] += example("patches")["patches"]

    documents = changed_prod(tmp_path, change)
    assert of_kind(documents, "PersistentVolumeClaim") == []
    volumes = [
        volume
        for document in of_kind(documents, "Deployment", "Job")
        for volume in document["spec"]["template"]["spec"]["volumes"]
        if volume["name"] == "data"
    ]
    assert len(volumes) == 9
    assert [volume for volume in volumes if set(volume) != {"name", "emptyDir"}] == []
    for document in documents:
        kubernetes_validate.validate(document, "1.37", strict=True)


def test_images_come_from_the_registry_of_the_example(tmp_path):
    """The example replaces registry and tag of the web processes, the worker and the migration of one service."""
    documents = changed_prod(tmp_path, lambda kustomization: kustomization.update(example("images")))
    images = {
        container["image"]
        for pod in pods(documents).values()
        for container in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"])
    }
    assert "registry.example.org/crossdock/gateway:1.0" in images
    assert not [one for one in images if one.startswith("crossdock/gateway")]
    assert "crossdock/filestore-svc:dev" in images


def test_prometheus_finds_and_may_scrape_every_process(tmp_path):
    """With the examples each Deployment is the target of one job of the alerts, at a port that the policy admits."""
    scrapes = example("scrape_configs")["scrape_configs"]
    composed = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    assert [job["job_name"] for job in scrapes] == [job["job_name"] for job in composed]

    def change(kustomization):
        (tmp_path / "k8s/overlays/prod/metrics.yaml").write_text(yaml.safe_dump(example("NetworkPolicy")))
        kustomization["resources"].append("metrics.yaml")
        kustomization["configMapGenerator"] += example("configMapGenerator")["configMapGenerator"]

    documents = changed_prod(tmp_path, change)
    policy = named(documents, "NetworkPolicy", "metrics")
    kubernetes_validate.validate(policy, "1.37", strict=True)
    admitted = {port["port"] for port in policy["spec"]["ingress"][0]["ports"]}
    for one in of_kind(documents, "Deployment"):
        template = one["spec"]["template"]
        assert selects(policy["spec"]["podSelector"], template["metadata"]["labels"])
        (container,) = template["spec"]["containers"]
        process = template["metadata"]["labels"]["app.kubernetes.io/name"]
        targets = [
            port["containerPort"]
            for port in container["ports"]
            for job in scrapes
            if re.fullmatch(job["relabel_configs"][1]["regex"], f"{process};{port['name']}")
        ]
        assert len(targets) == 1, process
        assert admitted.issuperset(targets), process
        settings = named(documents, "ConfigMap", container["envFrom"][0]["configMapRef"]["name"])["data"]
        assert settings["MFT_METRICS_FROM"] == "10.244.0.0/16"


def test_prometheus_takes_the_jobs_of_the_page(tmp_path):
    """The example is a valid configuration, but for the discovery in Kubernetes, which Debian's Prometheus has not."""
    jobs = [
        {key: value for key, value in job.items() if key != "kubernetes_sd_configs"}
        for job in example("scrape_configs")["scrape_configs"]
    ]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": jobs}))
    command = [program(["promtool"], "prometheus"), "check", "config", tmp_path / "prometheus.yml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
