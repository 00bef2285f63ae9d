from pathlib import Path

import pytest
import yaml

from gateway.domain import AccountSpec, Prompt, PromptRules
from gateway.schemas.accounts import read_accounts, read_prompt_rules
from mft_common.config import Reader

Q = "{text: Q, answer: {env: ANSWER1}}"
EVERYTHING = """
part1:
  password: {env: PART1_PASSWORD}
  contact: Partner One
  enabled: true
  grants:
    http_mft: {contract: std}
    diplomat: {role: Administrator, transactions: ["*"]}
    ibm_mq_mft: {roles: [MFTWebAdmin], topics: ["SYSTEM.FTE/#"]}
    data_protector:
      {role: full, trusted: false, trusted_from: [], prompts: [{text: "Port of registry?", answer: {env: ANSWER1}}]}
bare:
"""


def read(text, trust="networks"):
    """Return the accounts and the problems of a section."""
    environ = {"PART1_PASSWORD": "partner1", "ANSWER1": " Rotterdam ", "EMPTY": "", "LONG": "x" * 1025}
    reader = Reader(Path("/nowhere"), environ)
    return read_accounts(yaml.safe_load(text), reader, trust), reader.problems


def test_everything_is_read():
    """An account with all four grants is read, with its prompts apart from the grant that services see."""
    accounts, problems = read(EVERYTHING)
    assert problems == []
    assert accounts == (
        AccountSpec(
            name="part1",
            password="partner1",
            contact="Partner One",
            grants={
                "http_mft": {"contract": "std"},
                "diplomat": {"role": "Administrator", "transactions": ["*"]},
                "ibm_mq_mft": {"roles": ["MFTWebAdmin"], "topics": ["SYSTEM.FTE/#"]},
                "data_protector": {"role": "full", "trusted": False, "trusted_from": []},
            },
            prompts=(Prompt(text="Port of registry?", answer="rotterdam"),),
        ),
        AccountSpec(name="bare", contact="bare"),
    )


def test_secrets_are_not_shown():
    """No representation of an account holds its password or answers."""
    accounts, _ = read(EVERYTHING)
    assert "partner1" not in repr(accounts)
    assert "rotterdam" not in repr(accounts)


@pytest.mark.parametrize("name", ["system", "CLIENT", "FILESTORE", "DIPLOMAT", "DATAPROTECTOR"])
def test_reserved_names(name):
    """Names that the hub itself acts under cannot be accounts."""
    assert read(f"{name}: {{}}")[1] == [f"accounts.{name}: the hub itself acts under this name"]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[]", "accounts"),
        ("a: 7", "accounts.a"),
        ("7: {}", "accounts.7"),
        ("' a': {}", "accounts. a"),
        ("'a:b': {}", "accounts.a:b"),
        ("a: {colour: red}", "accounts.a.colour"),
        ("a: {password: plain}", "accounts.a.password"),
        ("a: {password: {env: NOT_THERE}}", "accounts.a.password"),
        ("a: {password: {env: EMPTY}}", "accounts.a.password"),
        ("a: {password: {env: LONG}}", "accounts.a.password"),
        ("a: {password: {demo: x}}", "accounts.a.password"),
        ("a: {enabled: 'yes please'}", "accounts.a.enabled"),
        ("a: {contact: 7}", "accounts.a.contact"),
        ("a: {grants: {ftp: {}}}", "accounts.a.grants.ftp"),
        ("a: {grants: {http_mft: {}}}", "accounts.a.password"),
        ("a: {grants: {data_protector: {role: some}}}", "accounts.a.grants.data_protector.role"),
        ("a: {grants: {data_protector: {trusted: true}}}", "accounts.a.grants.data_protector.trusted_from"),
        (
            "a: {grants: {data_protector: {trusted_from: [10.0.0.1/8]}}}",
            "accounts.a.grants.data_protector.trusted_from.0",
        ),
        (
            "a: {grants: {data_protector: {prompts: [{text: Q}]}}}",
            "accounts.a.grants.data_protector.prompts.0.answer",
        ),
        (
            "a: {grants: {data_protector: {prompts: [{text: Q, answer: plain}]}}}",
            "accounts.a.grants.data_protector.prompts.0.answer",
        ),
        (
            f"a: {{grants: {{data_protector: {{prompts: [{Q}, {Q}]}}}}}}",
            "accounts.a.grants.data_protector.prompts.1.text",
        ),
        (
            "a: {password: {env: ANSWER1}, grants: {diplomat: {role: Root}}}",
            "accounts.a.grants.diplomat.role",
        ),
        (
            "a: {password: {env: ANSWER1}, grants: {ibm_mq_mft: {roles: [MQ]}}}",
            "accounts.a.grants.ibm_mq_mft.roles.0",
        ),
    ],
)
def test_problems_name_their_path(text, path):
    """Each mistake is one line that begins with where it is."""
    problems = read(text)[1]
    assert [problem.split(": ")[0] for problem in problems] == [path]


def test_all_problems_at_once():
    """Wrong shapes and missing secrets, of one account and of several, are reported together."""
    problems = read("a: {password: {env: NO1}, contact: 1, grants: {diplomat: {}}}\nb: {password: {env: NO2}}")[1]
    assert sorted(problem.split(": ")[0] for problem in problems) == [
        "accounts.a.contact",
        "accounts.a.grants.diplomat.role",
        "accounts.a.password",
        "accounts.b.password",
    ]


@pytest.mark.parametrize("trust", ["loopback", "any"])
def test_trust_without_networks(trust):
    """Where only this machine reaches the hub, a trusted account names no networks."""
    assert read("a: {grants: {data_protector: {trusted: true}}}", trust)[1] == []


def test_prompt_rules():
    """The gateway reads its part of the section, and leaves the rest to the service."""
    reader = Reader(Path("/nowhere"), {})
    rules = read_prompt_rules({"unknown_users": "deny", "failures": 5, "folders": {}}, reader)
    assert (rules, reader.problems) == (PromptRules(unknown_users="deny", failures=5), [])
    read_prompt_rules({"unknown_users": "wave", "failures": "3"}, reader)
    assert sorted(problem.split(": ")[0] for problem in reader.problems) == [
        "data_protector.failures",
        "data_protector.unknown_users",
    ]
