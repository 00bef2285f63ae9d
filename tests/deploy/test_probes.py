"""The probes of the manifests end processes that are stuck, and no others."""

import pytest

from tests.deploy.manifest_settings import is_worker, ours
from tests.deploy.manifests import OVERLAYS, overlay


@pytest.mark.parametrize("name", OVERLAYS)
def test_web_processes_outlive_a_database_that_fails_over(name):
    """Every thread may wait for the database; a process that was killed meanwhile could not start before its return."""
    web = [one for _, one, _ in ours(overlay(name)) if "livenessProbe" in one and not is_worker(one)]
    assert len(web) == 5
    for container in web:
        probe = container["livenessProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] >= 300
