"""Every key of crossdock.yaml that is accepted either has an effect or is reported as one that has none yet."""

import ast
import dataclasses
import inspect
import textwrap
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from crossdock import sections
from crossdock.command import main
from diplomat_svc.domain.transactions import (
    Archive,
    Archives,
    Audit,
    AuditTrail,
    Compress,
    Configuration,
    Destination,
    Notify,
    OpenPgp,
    Options,
    Retries,
    Source,
    Transaction,
)
from diplomat_svc.schemas.configuration import read_sections
from diplomat_svc.settings import Settings as DiplomatSettings
from gateway.domain import PromptRules
from mft_common.config import Reader
from mqmft_svc.schemas.config import Section as MqmftSection
from mqmft_svc.settings import Settings as MqmftSettings
from sertainty_svc.schemas.configuration import Section as SertaintySection
from sertainty_svc.settings import Settings as SertaintySettings

ROOT = Path(__file__).parents[2]
DATA = Path("/nonexistent/data")
READER = Reader(DATA, {}, data=DATA)
SIDES = {"source": {"url": "file:a", "files": ["*"]}, "destination": {"url": "file:b"}}
TRANSACTION = {"name": "one", "direction": "outbound", **SIDES}
# A value other than the default for each key of the section `diplomat`.
DIPLOMAT = {
    "api": False,
    "license": {"valid_until": "2030-01-31"},
    "display_name": "dock-1",
    "sessions": {"limit": 3, "idle": "1m", "absolute": "1h"},
    "log_buffer_lines": 10,
    "histories": {"enabled": False, "update_rate": "9s", "keep": "1d", "keep_newest": 3},
    "audit": {"url": "sqlite:///audit.db", "critical": True},
    "mail": {"smtp": "smtp://mail.example.org", "from": "hub@example.org"},
    "logs": {"keep": "1d", "time_zone": "Europe/Amsterdam"},
    "jobs": {"at_once": 2, "queue_limit": 3, "lease": "9s", "stop_grace": "1s"},
}


@pytest.mark.parametrize("key", sorted(DIPLOMAT))
def test_each_key_of_diplomat_changes_the_configuration_or_is_reported(key):
    """A key that changes nothing and is not reported would be ignored in silence."""
    document = {"diplomat": {key: DIPLOMAT[key]}}
    changes = read_sections(document, READER) != read_sections({}, READER)
    reported = sections.unused(document)
    assert reported == ([] if changes else [f"diplomat.{key}"])


@pytest.mark.parametrize(
    ("key", "value", "effect"),
    [("file", 7, True), ("file_delay", "9s", True), ("job", 2, True), ("job_delay", "9s", True)],
)
def test_each_key_of_retries_changes_the_transaction_or_is_reported(key, value, effect):
    """Each of them has an effect."""
    plain, changed = ({"transactions": [{**TRANSACTION, "retries": given}]} for given in ({}, {key: value}))
    assert (read_sections(plain, READER) != read_sections(changed, READER)) is effect
    assert sections.unused(changed) == ([] if effect else [f"transactions.0.retries.{key}"])


@pytest.mark.parametrize(
    "given",
    [
        {"schedule": {"cron": "* * * * *", "time_zone": "Europe/Amsterdam"}},
        {"schedule": {"cron": "* * * * *", "catch_up": True}},
        {"schedule": "third-party"},
        {"schedule": {"cron": "0 * * * *"}},
        {"trigger": {"stored": "filestore:/in", "files": ["*.csv"]}},
        {"trigger": {"stored": "filestore:/in"}},
        {"enabled": False},
    ],
)
def test_each_key_of_schedules_and_triggers_changes_the_transaction(given):
    """Two values of each key make two definitions, which come back from the row that stores them."""
    plain = {**TRANSACTION, "source": {"url": "filestore:/in", "files": ["*"]}, "schedule": {"cron": "* * * * *"}}
    (one,), (other,) = (
        read_sections({"transactions": [each]}, READER).transactions for each in (plain, {**plain, **given})
    )
    assert one != other
    assert sections.unused({"transactions": [{**plain, **given}]}) == []
    assert Transaction.from_json(other.to_json()) == other


def _attributes_read(*packages, outside="schemas"):
    """Return the names of all attributes that the code of `packages` reads, but for the modules named `outside`."""
    found = set()
    for package in packages:
        for path in (ROOT / package / "src").rglob("*.py"):
            if outside not in path.with_suffix("").parts:
                nodes = ast.walk(ast.parse(path.read_text()))
                found |= {n.attr for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load)}
    return found


@pytest.mark.parametrize(
    ("kind", "packages", "prefix"),
    [
        *((kind, ("diplomat-svc", "mft-common"), None) for kind in (Configuration, Options, Transaction, Source)),
        *((kind, ("diplomat-svc", "mft-common"), None) for kind in (Destination, Retries, Notify)),
        *((kind, ("diplomat-svc", "mft-common"), None) for kind in (OpenPgp, Compress, Archives, Archive)),
        *((kind, ("diplomat-svc", "mft-common"), None) for kind in (Audit, AuditTrail)),
        (PromptRules, ("gateway",), None),
        (MqmftSection, ("mqmft-svc",), "ibm_mq_mft"),
        (SertaintySection, ("sertainty-svc", "gateway"), "data_protector"),
    ],
)
def test_each_value_of_a_section_is_read_or_its_key_is_reported(kind, packages, prefix):
    """The reported keys are exactly those that no code reads: a key that gets an effect leaves the list."""
    names = [field.name for field in dataclasses.fields(kind)]
    unread = set(names) - _attributes_read(*packages)
    reported = sections.unused({prefix: dict.fromkeys(names, "any value")})
    assert {f"{prefix}.{name}" for name in unread} == set(reported)


def _read_by_own_methods(settings, read):
    """Return the attributes that those methods and properties of `settings` read that are themselves in `read`."""
    body = ast.parse(textwrap.dedent(inspect.getsource(settings))).body[0].body
    used = [node for node in body if isinstance(node, ast.FunctionDef) and node.name in read]
    return {n.attr for method in used for n in ast.walk(method) if isinstance(n, ast.Attribute)}


@pytest.mark.parametrize(
    ("settings", "package"),
    [(MqmftSettings, "mqmft-svc"), (SertaintySettings, "sertainty-svc"), (DiplomatSettings, "diplomat-svc")],
)
def test_each_variable_of_the_environment_that_is_read_has_an_effect(settings, package):
    """A setting is read by the code of its service, or by a method of the settings that this code calls."""
    read = _attributes_read(package, outside="settings")
    unread = {field.name for field in dataclasses.fields(settings)} - read - _read_by_own_methods(settings, read)
    assert unread == set()


def test_check_says_nothing_about_keys_that_have_an_effect(tmp_path):
    """`crossdock check` succeeds, and writes nothing on stderr; keys without an effect it would list there."""
    file = tmp_path / "crossdock.yaml"
    document = {
        "transactions": [{**TRANSACTION, "retries": {"job_delay": "9s"}}],
        "ibm_mq_mft": {"agents": {"A": {"qmgr": "Q", "root": "file:a", "allow": ["mftadmin"]}}},
        "data_protector": {"interpreters": {".sh": ["sh"]}, "script_path": "/bin", "script_wrapper": ["nice"]},
    }
    file.write_text(yaml.safe_dump(document))
    result = CliRunner().invoke(main, ["check", str(file)])
    assert result.exit_code == 0, result.output
    assert result.stderr == ""


def test_check_refuses_folders_that_reach_the_host_key_of_the_environment(tmp_path, monkeypatch):
    """`crossdock check` knows the variables of the hub, as `apply` does: a task could copy the key to anywhere."""
    (tmp_path / "crossdock.yaml").write_text(yaml.safe_dump({"data_protector": {"folders": [str(tmp_path / "root")]}}))
    for place, code in (("keys/h.pem", 0), ("root/h.pem", 2)):
        monkeypatch.setenv("SERTAINTY_HOST_KEY_FILE", str(tmp_path / place))
        result = CliRunner().invoke(main, ["check", str(tmp_path / "crossdock.yaml")])
        assert (result.exit_code, "data_protector.folders: tasks reach" in result.stderr) == (code, code == 2)
