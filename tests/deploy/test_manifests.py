"""The overlays render, are valid, and their parts belong together."""

import os
import re
import subprocess
import sys

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate.utils import SchemaNotFoundError

from crossdock import demo
from mft_common.events.topology import CONSUMERS
from mft_common.process.background_tasks import GRACE_S
from tests.deploy.manifest_settings import image_of, is_worker, ours
from tests.deploy.manifests import OVERLAYS, ROOT, TREE, containers, named, of_kind, overlay, pods, secrets_of, selects

_SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
# Those that compose starts without a profile.
COMPOSE = {name: service for name, service in _SERVICES.items() if "profiles" not in service}
# Kinds that a cluster knows only with KEDA in it, and whose schemas the validator has not.
OF_KEDA = {"ScaledObject", "TriggerAuthentication"}


@pytest.mark.parametrize("version", ["1.30", "1.37"])
@pytest.mark.parametrize("name", OVERLAYS)
def test_each_document_is_valid(name, version):
    """Kubernetes' schemas take every document and know every field; KEDA's kinds have no schema there."""
    unknown = set()
    for document in (*overlay(name), *secrets_of(name)):
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except SchemaNotFoundError:
            unknown.add(document["kind"])
    assert unknown == (OF_KEDA if name == "keda" else set())


def test_a_misspelt_field_is_not_valid():
    """A field that Kubernetes does not know is found by the same validation."""
    (first, *_) = of_kind(overlay("prod"), "Deployment")
    first["spec"]["template"]["spec"]["terminationGraceSeconds"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(first, "1.37", strict=True)


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_two_documents_have_a_kind_and_a_name_in_common(name):
    """Each document is in the namespace crossdock and replaces no other one."""
    documents = overlay(name)
    ids = [(one["kind"], one["metadata"]["name"]) for one in documents]
    assert len(ids) == len(set(ids))
    spaces = {one["metadata"].get("namespace") for one in documents if one["kind"] != "Namespace"}
    assert spaces == {"crossdock"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_container_is_confined(name):
    """No container is root, writes to its image, gains rights or has a token of the cluster; ours are user 10001."""
    documents = overlay(name)
    for workload, pod, container in containers(documents):
        assert pod["automountServiceAccountToken"] is False, workload
        assert pod["securityContext"]["runAsNonRoot"] is True, workload
        assert pod["securityContext"]["runAsUser"] == (10001 if image_of(container) else 999), workload
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, workload
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, workload
        assert set(container["resources"]) == {"requests", "limits"}, workload
        volumes = {one["name"]: one for one in pod["volumes"]}
        mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
        assert volumes[mounts["/tmp"]].get("emptyDir") is not None, workload
        assert volumes[mounts["/dev/shm"]]["emptyDir"]["medium"] == "Memory", workload


@pytest.mark.parametrize("name", OVERLAYS)
def test_each_volume_leads_to_something_that_is_there(name):
    """ConfigMaps, claims and Secrets that pods mount are in the manifests; a Secret may be optional."""
    documents, secrets = overlay(name), {one["metadata"]["name"] for one in secrets_of(name)}
    mounted = 0
    for template in pods(documents).values():
        for volume in template["spec"]["volumes"]:
            if "configMap" in volume:
                named(documents, "ConfigMap", volume["configMap"]["name"])
            elif "persistentVolumeClaim" in volume:
                named(documents, "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
            elif "secret" in volume:
                assert volume["secret"].get("optional") or volume["secret"]["secretName"] in secrets
            mounted += "emptyDir" not in volume
    assert mounted > 25


@pytest.mark.parametrize("name", OVERLAYS)
def test_each_selector_finds_its_pods(name):
    """Services, budgets and scalers lead to exactly one workload, and Services to ports that its pods name."""
    documents = overlay(name)
    templates = pods(documents)
    for one in of_kind(documents, "Service", "PodDisruptionBudget"):
        spec = one["spec"]
        selector = {"matchLabels": spec["selector"]} if one["kind"] == "Service" else spec["selector"]
        found = [workload for workload, pod in templates.items() if selects(selector, pod["metadata"]["labels"])]
        assert found == [one["metadata"]["name"]]
        names = {port["name"] for port in templates[found[0]]["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in spec.get("ports", ())} <= names
    for one in of_kind(documents, "HorizontalPodAutoscaler", "ScaledObject"):
        target = named(documents, "Deployment", one["spec"]["scaleTargetRef"]["name"])
        assert "replicas" not in target["spec"], "an apply would set the number back"
    for one in of_kind(documents, "Deployment"):
        labels = one["spec"]["template"]["metadata"]["labels"]
        assert selects(one["spec"]["selector"], labels)
        spread = one["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert [selects(constraint["labelSelector"], labels) for constraint in spread] == [True, True]


@pytest.mark.parametrize("name", OVERLAYS)
def test_each_service_has_web_processes_and_workers_with_the_commands_of_compose(name):
    """Workloads of ours, their images and commands are those of docker-compose.yml; its servers are those of dev."""
    documents = overlay(name)
    deployed = {one["metadata"]["name"] for one in of_kind(documents, "Deployment")}
    servers = {"rabbitmq", "postgres"}
    assert deployed == COMPOSE.keys() - servers - {"init"}
    assert {one["metadata"]["name"] for one in of_kind(documents, "StatefulSet")} == (
        servers if name == "dev" else set()
    )
    composed = {re.sub(r"\$\{\w+:-(\w+)\}", r"\1", one["image"]) for one in COMPOSE.values()}
    for workload, _, container in containers(documents):
        assert container["image"] in composed, workload
        if workload in deployed:
            assert container["command"] == COMPOSE[workload]["command"]
            assert container["image"].split(":")[0] == COMPOSE[workload]["image"].split(":")[0]
    budgets = {one["metadata"]["name"] for one in of_kind(documents, "PodDisruptionBudget")}
    assert budgets == deployed


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_pod_is_given_the_time_that_its_process_takes_to_end(name):
    """The grace of a pod is longer than its preStop and the service's own limit together."""
    documents = overlay(name)
    for workload, container, _ in ours(documents):
        if workload == "migrate":
            continue
        pod = pods(documents)[workload]["spec"]
        if is_worker(container):
            needs = GRACE_S
        else:
            settings = named(documents, "ConfigMap", container["envFrom"][0]["configMapRef"]["name"])["data"]
            drain = settings["GATEWAY_DRAIN" if workload == "gateway" else "MFT_DRAIN_S"]
            needs = int(container["lifecycle"]["preStop"]["exec"]["command"][1]) + int(drain.removesuffix("s"))
        assert pod["terminationGracePeriodSeconds"] >= needs + 10, workload


@pytest.mark.parametrize("name", OVERLAYS)
def test_probes_ask_pages_that_the_services_have(name):
    """Start and life are asked at /healthz and readiness at /readyz, on a port that the container names."""
    documents = overlay(name)
    for workload, container, _ in ours(documents):
        if workload == "migrate":
            continue
        asked = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
        assert asked == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}, workload
        ports = {one["name"]: one["containerPort"] for one in container["ports"]}
        number = ports[container["readinessProbe"]["httpGet"]["port"]]
        settings = named(documents, "ConfigMap", container["envFrom"][0]["configMapRef"]["name"])["data"]
        if is_worker(container):
            assert settings["MFT_WORKER_LISTEN"] == f"0.0.0.0:{number}"
        else:
            assert number == (8080 if workload == "gateway" else 8000)
    internal = {
        one["name"]: one["containerPort"] for one in pods(documents)["gateway"]["spec"]["containers"][0]["ports"]
    }
    (settings,) = [one for one in of_kind(documents, "ConfigMap") if one["metadata"]["name"].startswith("gateway-")]
    assert settings["data"]["GATEWAY_INTERNAL_PORT"] == str(internal["internal"])


@pytest.mark.parametrize("name", OVERLAYS)
def test_urls_lead_to_services_and_ports_that_are_there(name):
    """Each http URL of a ConfigMap names a Service and one of its ports."""
    documents = overlay(name)
    ports = {
        one["metadata"]["name"]: [port["port"] for port in one["spec"]["ports"]]
        for one in of_kind(documents, "Service")
    }
    urls = [
        url
        for one in of_kind(documents, "ConfigMap")
        for key, value in one["data"].items()
        if key != "crossdock.yaml"
        for url in re.findall(r"http://([\w-]+):(\d+)", value)
    ]
    assert len(urls) == 11
    assert [host for host, port in urls if int(port) not in ports[host]] == []


def test_the_ingress_leads_to_the_public_port_of_the_gateway():
    """One Ingress leads to the gateway's port for clients; dev has none, for its passwords are published."""
    (ingress,) = of_kind(overlay("prod"), "Ingress")
    (rule,) = ingress["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert path["backend"]["service"] == {"name": "gateway", "port": {"name": "http"}}
    assert ingress["spec"]["tls"][0]["hosts"] == [rule["host"]]
    assert of_kind(overlay("dev"), "Ingress", "HorizontalPodAutoscaler") == []


def test_the_workers_of_keda_are_scaled_by_the_queues_of_their_services():
    """Each consuming service has a ScaledObject by the queue of its name, with the broker's URL of its own Secret."""
    documents, secrets = overlay("keda"), {one["metadata"]["name"]: one["data"] for one in secrets_of("keda")}
    queues = set()
    for one in of_kind(documents, "ScaledObject"):
        (trigger,) = one["spec"]["triggers"]
        queue = trigger["metadata"]["queueName"]
        queues.add(queue)
        worker = named(documents, "Deployment", one["spec"]["scaleTargetRef"]["name"])
        assert image_of(worker["spec"]["template"]["spec"]["containers"][0]) == queue
        authentication = named(documents, "TriggerAuthentication", trigger["authenticationRef"]["name"])
        (reference,) = authentication["spec"]["secretTargetRef"]
        assert reference["parameter"] == "host"
        assert reference["key"] in secrets[reference["name"]]
    assert queues == set(CONSUMERS)


def test_the_configuration_of_dev_is_that_of_the_demo():
    """A kustomization reads no file above its folder, so the demo's configuration is there a second time."""
    assert (TREE / "overlays/dev/crossdock.yaml").read_text() == demo.configuration()


def test_the_configuration_of_prod_is_valid(tmp_path):
    """`crossdock check` takes the file, with the password in its place."""
    (tmp_path / "alice").write_text("of a test")
    text = (TREE / "overlays/prod/crossdock.yaml").read_text().replace("/etc/crossdock-secrets", str(tmp_path))
    (tmp_path / "crossdock.yaml").write_text(text)
    command = [sys.executable, "-m", "crossdock", "check", tmp_path / "crossdock.yaml"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"MFT_DATA": str(tmp_path)}
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_secrets_are_never_written_over(tmp_path):
    """A second `make-secrets` fails, because a new password or key would not fit what the first one has begun."""
    (tmp_path / "secrets/dev").mkdir(parents=True)
    command = [sys.executable, tmp_path / "make-secrets", "dev"]
    (tmp_path / "make-secrets").write_bytes((TREE / "make-secrets").read_bytes())
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    before = {path.name: path.read_text() for path in (tmp_path / "secrets/dev").iterdir()}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "secrets/dev").iterdir()} == {0o600}
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "nothing was written" in done.stderr
    assert {path.name: path.read_text() for path in (tmp_path / "secrets/dev").iterdir()} == before
