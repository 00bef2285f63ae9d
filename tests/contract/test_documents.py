"""Documents, compose file and code agree."""

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from crossdock import pages
from crossdock.hub import PACKAGES
from gateway.domain import GRANT_KEYS
from mft_common.config import Reader
from mft_common.endpoints.registry import read_endpoints
from sertainty_svc.domain.functions import FUNCTIONS, SessionPlace
from sertainty_svc.schemas.configuration import read_sections

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
# Variables that no settings class reads, with the place that reads them.
ELSEWHERE = {
    "MFT_LISTEN",  # gunicorn_conf.py
    "MFT_METRICS_FROM",  # process/metrics.py
    "PROMETHEUS_MULTIPROC_DIR",
}


def test_generated_pages_are_up_to_date():
    """`make docs` would change nothing."""
    assert pages.write(ROOT / "docs", only_check=True) == []


def test_the_functions_of_data_protector_are_listed_with_their_arguments_and_results():
    """docs/data-protector.md has the table of the code, in its order."""
    rows = re.findall(
        r"^\| `(\w+)`( \*)? \| (.*)\| (.*)\|$", (ROOT / "docs/data-protector.md").read_text(), re.MULTILINE
    )
    found = [
        (name, bool(marked), *(tuple(re.findall(r"[\w-]+", cell.replace("...", ""))) for cell in cells))
        for name, marked, *cells in rows
    ]
    assert found == [
        (
            one.name, one.session is not SessionPlace.ELEMENT,
            *(tuple(name.removesuffix("*") for name in names) for names in (one.args, one.results)),
        )
        for one in FUNCTIONS
    ]  # fmt: skip


def test_the_settings_of_data_protector_are_listed_and_the_example_is_valid(tmp_path):
    """Each key of the section has its row in docs/protocols/sertainty.md, and there is no other row."""
    _, _, part = (ROOT / "docs/protocols/sertainty.md").read_text().partition("\n## Settings\n")
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)
    section = read_sections(yaml.safe_load(example), Reader(tmp_path, {}, data=tmp_path / "data"))
    assert section.named_folders == (tmp_path / "data/crates", Path("/srv/partners"))
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", part, re.MULTILINE)
    keys = {one.name for one in dataclasses.fields(section)} - {"named_folders"}
    assert sorted(re.findall(r"\w+", " ".join(rows))) == sorted(keys)


def test_every_setting_that_compose_sets_is_read():
    """A misspelt variable would be ignored in silence."""
    names = {name for service in COMPOSE["services"].values() for name in service.get("environment", {})}
    source = "\n".join(path.read_text() for path in ROOT.glob("*/src/**/*.py"))
    ours = {
        name for name in names if name.startswith(("MFT_", "GATEWAY_", "FILESTORE_", "DIPLOMAT_", "MQMFT_", "SERT"))
    }
    assert ours
    for name in ours - ELSEWHERE:
        assert f'"{name.removesuffix("_FILE")}"' in source or f'f"{name.split("_")[0]}' in source, name


@pytest.mark.parametrize("service", sorted(GRANT_KEYS))
def test_every_service_has_its_web_process_and_its_worker_in_compose(service):
    """Folder, image, compose service and DNS name are one name."""
    web, worker = COMPOSE["services"][service], COMPOSE["services"][service.replace("-svc", "-worker")]
    assert web["image"] == worker["image"] == f"crossdock/{service}:${{CROSSDOCK_TAG:-dev}}"
    assert web["build"]["args"] == {"SERVICE": service}
    assert (ROOT / service / "pyproject.toml").exists()
    assert service in PACKAGES


def test_the_gateway_is_stopped_before_the_services_that_it_calls():
    """Compose stops in the opposite order of `depends_on`; requests at work in the gateway still find their service."""
    services = COMPOSE["services"]
    assert services["gateway"]["depends_on"].keys() >= GRANT_KEYS.keys()
    for name in GRANT_KEYS:
        assert "gateway" not in services[name]["depends_on"]


def test_no_health_check_of_a_container_asks_a_proxy():
    """A container's own address is asked without the proxy that its environment may name."""
    checks = [service["healthcheck"]["test"] for service in COMPOSE["services"].values() if "healthcheck" in service]
    asking = [check[-1] for check in checks if check[1] == "python"]
    assert len(asking) == 10
    for program in asking:
        assert "http.client" in program


@pytest.mark.parametrize("page", [*sorted(ROOT.glob("docs/**/*.md")), ROOT / "README.md"], ids=lambda page: page.name)
def test_links_between_documents_lead_somewhere(page):
    """Every relative link names a file that is there."""
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_readme_says_at_its_top_how_to_run_and_test_the_hub():
    """Both commands stand in its first 40 lines."""
    top = (ROOT / "README.md").read_text().splitlines()[:40]
    for command in ("make run", "make test"):
        assert any(line.startswith(command) for line in top), command


def test_each_file_of_code_is_of_a_size_that_one_can_read():
    """A module over 350 lines is two modules."""
    for path in ROOT.glob("*/src/**/*.py"):
        assert len(path.read_text().splitlines()) <= 350, path


def test_no_curl_command_of_a_document_leaves_out_a_header_that_it_names():
    """`curl -H NAME:` removes the header NAME; an empty one is written `NAME;`."""
    pages_ = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md"), ROOT / "README.md"]
    headers = [header for page in pages_ for header in re.findall(r"-H (\"[^\"]*\"|'[^']*'|\S+)", page.read_text())]
    assert headers
    assert [header for header in headers if header.strip("'\"").endswith(":")] == []


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/*.md")), ids=lambda page: page.name)
def test_the_endpoints_of_the_examples_are_accepted(page, tmp_path):
    """The section `endpoints` of each example of crossdock.yaml has no problem but that its secrets are not there."""
    for text in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL):
        reader = Reader(tmp_path, {}, data=tmp_path)
        read_endpoints({"endpoints": yaml.safe_load(text).get("endpoints")}, reader, tmp_path)
        assert [one for one in reader.problems if not re.search(r"cannot be read|has no variable", one)] == []
