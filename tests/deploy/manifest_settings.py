"""Compare the settings of the manifests with those that the services read."""

import base64
import dataclasses
import functools
import re

import yaml

from diplomat_svc.settings import Settings as Diplomat
from filestore_svc.settings import Settings as Filestore
from gateway.serving.limits import ServingLimits
from gateway.settings import Settings as Gateway
from mft_common.worker import Settings as Worker
from mqmft_svc.settings import Settings as Mqmft
from sertainty_svc.settings import Settings as Sertainty
from tests.deploy.manifests import ROOT, containers, named, of_kind

# The settings classes that both processes of an image read.
CLASSES = {
    "gateway": (Gateway, ServingLimits),
    "filestore-svc": (Filestore,),
    "diplomat-svc": (Diplomat,),
    "mqmft-svc": (Mqmft,),
    "sertainty-svc": (Sertainty,),
}
# Gunicorn is configured before any settings class is read.
_GUNICORN = {"gateway": "gateway/src/gateway/gunicorn_conf.py"}
_GUNICORN_OF_SERVICES = "mft-common/src/mft_common/process/gunicorn_conf.py"
# Secrets that web processes have no use for, and so are not given.
OF_WORKERS = frozenset({"MFT_AMQP_URL", "MQMFT_TRANSFERLOG_URL"})
# The secret of a bucket is of no use without its id, which is none.
_OF_THE_BUCKET = frozenset({"FILESTORE_S3_KEY_ID"})
# Only the demonstration sets it.
_OF_THE_DEMO = frozenset({"MFT_DEMO"})
_COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def image_of(container):
    """Return the SERVICE of an image crossdock/SERVICE:TAG, None for the image of another project."""
    match = re.fullmatch(r"crossdock/([\w-]+):[\w.-]+", container["image"])
    return match and match[1]


def ours(documents):
    """Yield (workload, container, service) for each container that runs a service."""
    for workload, _, container in containers(documents):
        service = image_of(container)
        if service in CLASSES:
            yield workload, container, service


def is_worker(container):
    """Return whether a container runs the worker of its service."""
    return container["command"][0] == "python"


def classes_of(container, service):
    """Return the settings classes that a process reads."""
    return (*CLASSES[service], Worker) if is_worker(container) else CLASSES[service]


def _fields(classes):
    return [field for one in classes for field in dataclasses.fields(one) if "env" in field.metadata]


@functools.cache
def _gunicorn(service):
    source = (ROOT / _GUNICORN.get(service, _GUNICORN_OF_SERVICES)).read_text()
    return frozenset(re.findall(r'_environ\.get\("(\w+)"', source))


def read_by(service):
    """Return every name that a process of a service reads."""
    return {field.metadata["env"] for field in _fields((*CLASSES[service], Worker))} | _gunicorn(service)


def wanted_by(workload, container, service):
    """Return the names that a container must get: required, secret, of a database, or set by docker-compose.yml."""
    must = {
        field.metadata["env"]
        for field in _fields(classes_of(container, service))
        if field.metadata["secret"]
        or field.default is dataclasses.MISSING
        or field.metadata["env"].endswith("_DATABASE_URL")
    }
    compose = _COMPOSE.get(workload, {"environment": {}})["environment"]
    must |= {name.removesuffix("_FILE") for name in compose} & read_by(service)
    if service == "filestore-svc":
        must |= _OF_THE_BUCKET
    return must - _OF_THE_DEMO - (frozenset() if is_worker(container) else OF_WORKERS)


def names_of(documents, container):
    """Return the names that a container is given, by ConfigMaps and one by one."""
    maps = [named(documents, "ConfigMap", one["configMapRef"]["name"])["data"] for one in container.get("envFrom", ())]
    return {name for one in maps for name in one} | {one["name"] for one in container["env"]}


def problems(documents, secrets):
    """Return each difference between the manifests and the services' settings, in words."""
    found = []
    keys = {one["metadata"]["name"]: set(one["data"]) for one in secrets}
    for workload, container, service in ours(documents):
        where, given = f"{workload}/{container['name']}", names_of(documents, container)
        read = read_by(service)
        have = {name if name in read else name.removesuffix("_FILE") for name in given}
        found += [f"{where}: no settings class reads {name}" for name in have - read]
        found += [f"{where}: {name} is missing" for name in wanted_by(workload, container, service) - have]
        for one in container["env"]:
            reference = one["valueFrom"]["secretKeyRef"]
            if reference["key"] not in keys.get(reference["name"], ()) and not reference.get("optional"):
                found.append(f"{where}: no Secret has {reference['name']}/{reference['key']}")
    used = {
        (one["valueFrom"]["secretKeyRef"]["name"], one["valueFrom"]["secretKeyRef"]["key"])
        for _, _, container in containers(documents)
        for one in container.get("env", ())
        if "valueFrom" in one
    }
    mounted = {
        volume["secret"]["secretName"]
        for one in of_kind(documents, "Deployment")
        for volume in one["spec"]["template"]["spec"]["volumes"]
        if "secret" in volume
    }
    found += [
        f"no container reads {name}/{key}"
        for name in keys.keys() - mounted
        for key in keys[name]
        if (name, key) not in used
    ]
    return sorted(found)


def environment(documents, secrets, container):
    """Return the environment that a container gets; optional references without a value are left out."""
    given = {}
    for one in container.get("envFrom", ()):
        given |= named(documents, "ConfigMap", one["configMapRef"]["name"])["data"]
    values = {one["metadata"]["name"]: one["data"] for one in secrets}
    for one in container["env"]:
        reference = one["valueFrom"]["secretKeyRef"]
        value = values[reference["name"]].get(reference["key"])
        if value is not None:
            given[one["name"]] = base64.b64decode(value).decode()
    return given
