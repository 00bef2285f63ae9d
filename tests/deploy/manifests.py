"""Render the manifests of deploy/k8s, and find pods, settings and Secrets in them."""

import copy
import functools
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
TREE = ROOT / "deploy/k8s"
OVERLAYS = ("dev", "prod", "keda")
# The Secrets that go with each overlay.
SECRETS_OF = {"dev": "dev", "prod": "prod", "keda": "prod"}
# The one of the development lock: all machines render with the same kustomize.
KUBECTL = Path(sys.executable).with_name("kubectl")
_POD_KINDS = ("Deployment", "StatefulSet", "Job")


def kustomize(folder):
    """Return the documents that `kubectl kustomize` makes of a folder; a warning of it is an error."""
    done = subprocess.run([KUBECTL, "kustomize", folder], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return [document for document in yaml.safe_load_all(done.stdout) if document]


@functools.cache
def _overlay(name):
    return kustomize(TREE / "overlays" / name)


@functools.cache
def _secrets(name):
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(shutil.copytree(TREE, Path(folder, "k8s"), ignore=shutil.ignore_patterns("*.env", "host.key")))
        for left in (tree / "secrets" / name).iterdir():
            if left.name not in ("kustomization.yaml", ".gitignore"):
                left.unlink()
        subprocess.run([sys.executable, tree / "make-secrets", name], check=True, stdout=subprocess.DEVNULL)
        return kustomize(tree / "secrets" / name)


def overlay(name):
    """Return the documents of an overlay, which the caller may change."""
    return copy.deepcopy(_overlay(name))


def secrets_of(name):
    """Return the Secrets of an overlay, made of files that `make-secrets` has just written."""
    return copy.deepcopy(_secrets(SECRETS_OF[name]))


def of_kind(documents, *kinds):
    """Return the documents of some kinds."""
    return [one for one in documents if one["kind"] in kinds]


def named(documents, kind, name):
    """Return the document of that kind and name."""
    (found,) = [one for one in of_kind(documents, kind) if one["metadata"]["name"] == name]
    return found


def pods(documents):
    """Return the template of the pods of each workload, by the workload's name."""
    return {one["metadata"]["name"]: one["spec"]["template"] for one in of_kind(documents, *_POD_KINDS)}


def containers(documents):
    """Yield each container as (name of the workload, specification of the pod, container)."""
    for name, template in pods(documents).items():
        spec = template["spec"]
        for container in (*spec.get("initContainers", ()), *spec["containers"]):
            yield name, spec, container


def selects(selector, labels):
    """Return whether a label selector takes a pod with these labels."""
    expressions = selector.get("matchExpressions", ())
    assert {one["operator"] for one in expressions} <= {"In"}
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(one["key"]) in one["values"] for one in expressions
    )
