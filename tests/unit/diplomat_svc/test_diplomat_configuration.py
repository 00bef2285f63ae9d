"""The sections of crossdock.yaml, and every problem by its path."""

import json
from importlib import resources
from pathlib import Path

import pytest
import yaml

from crossdock import local_hub
from diplomat_svc.bootstrap import child_modules
from diplomat_svc.domain.transactions import LONGEST_STOP_GRACE_S
from diplomat_svc.schemas.configuration import read_sections
from mft_common.config import Reader
from mft_common.dispatch import dispatcher
from mft_common.endpoints.registry import Endpoints
from mft_common.errors import ConfigError
from mft_common.process import background_tasks

DATA = Path("/nonexistent/data")
READER = Reader(DATA, {}, data=DATA)
ONE = {
    "name": "one",
    "direction": "outbound",
    "source": {"url": "file:a", "files": ["*"]},
    "destination": {"url": "file:b"},
}


def _problems(document):
    with pytest.raises(ConfigError) as caught:
        read_sections(document, READER)
    return caught.value.problems


def test_the_demo_is_taken():
    """The built-in demo has the eight transactions, with their ids, and ten places for sessions."""
    document = yaml.safe_load(resources.files("crossdock").joinpath("demo.yaml").read_text(encoding="utf-8"))
    configuration = read_sections(document, READER)
    assert [one.id for one in configuration.transactions] == [1, 2, 3, 4, 5, 6, 7, 8]
    slow = configuration.transactions[2]
    assert (slow.bandwidth, slow.retries.file_delay, slow.delete_source) == (256 * 1024, 0.1, False)
    assert configuration.options.session_limit == 10


def test_endpoints_are_found_by_their_names():
    """A definition keeps `endpoint:name`, and a job reaches the endpoints that its URLs name, no others."""
    document = {
        "endpoints": {"x": {"url": "file:c"}, "y": {"url": "file:d"}},
        "transactions": [{**ONE, "source": {**ONE["source"], "url": "endpoint:x"}}],
    }
    found = read_sections(document, READER)
    assert found.transactions[0].source.url == "endpoint:x"
    assert found.endpoints.find("endpoint:x").folder == "c"
    reachable = Endpoints.from_json(json.loads(json.dumps(found.endpoints.only("endpoint:x", "file:a").to_json())))
    assert reachable.find("endpoint:x") == found.endpoints.find("endpoint:x")
    assert reachable.problem_of("endpoint:y") == "there is no endpoint y"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"nmae": "x"}, "transactions.0.nmae: Unknown field."),
        ({"openpgp": {"sign": "x"}}, "transactions.0.openpgp: there is no OpenPGP key x"),
        ({"openpgp": {}}, "transactions.0.openpgp: names no key"),
        ({"archive": {}}, "transactions.0.archive: has primary, additional or both"),
        ({"archive": {"primary": {"url": "x:"}}}, "transactions.0.archive.primary.url: the URL begins with none"),
        (
            {"archive": {"additional": {"url": "file:a", "content": "x"}}},
            "transactions.0.archive.additional.content: Must",
        ),
        ({"compress": {}}, "transactions.0.compress: has either zip with a name or unzip: true"),
        ({"compress": {"unzip": True}}, "transactions.0.compress: unzip has no meaning for outbound"),
        ({"compress": {"zip": "a", "limit": "10GiB"}}, "transactions.0.compress: limit has no meaning for outbound"),
        ({"compress": {"zip": "a", "members": 10_000}}, "transactions.0.compress: members has no meaning for outbound"),
        ({"compress": {"zip": "a*.zip"}}, "transactions.0.compress.zip: is the name of one file"),
        ({"compress": {"zip": "a/b.zip"}}, "transactions.0.compress.zip: is a name or a pattern"),
        ({"direction": "inbound", "compress": {"zip": "a"}}, "transactions.0.compress: zip has no meaning for inbound"),
        ({"openpgp": {"decrypt": "x"}}, "transactions.0.openpgp: decrypt and verify have no meaning for outbound"),
        (
            {"direction": "inbound", "openpgp": {"verify": ["x"], "armor": False}},
            "transactions.0.openpgp: encrypt, sign and armor have no meaning for inbound",
        ),
        ({"schedule": {"cron": "0 0 31 2 *"}}, "transactions.0.schedule.cron: '0 0 31 2 *' never fires"),
        (
            {"schedule": {"cron": "* * * * *", "time_zone": "x"}},
            "transactions.0.schedule.time_zone: 'x' is no time zone",
        ),
        ({"schedule": {"cron": "* * * * *", "catch_up": "no"}}, "transactions.0.schedule.catch_up: is true or false"),
        ({"schedule": {"cron": "* * * * *", "every": "5m"}}, "transactions.0.schedule.every: no such key"),
        ({"schedule": "daily"}, "transactions.0.schedule: is {cron: ..., time_zone: ..., catch_up: ...}"),
        ({"trigger": {"stored": "filestore:/in"}}, "transactions.0.trigger.stored: is not the folder of source.url"),
        ({"trigger": {"stored": "file:in"}}, "transactions.0.trigger.stored: is a folder of the hub's own store"),
        ({"trigger": {"stored": "filestore:/in", "files": ["a/b"]}}, "transactions.0.trigger.files.0: is a name or a"),
        ({"mode": "text"}, "transactions.0.mode: Must be one of: binary, ascii."),
        ({"retries": {"job": 101}}, "transactions.0.retries.job: Must be greater than or equal to 0 and less than"),
        ({"direction": "sideways"}, "transactions.0.direction: Must be one of: outbound, inbound."),
        ({"bandwidth": "fast"}, "transactions.0.bandwidth: is no rate such as 10MiB/s"),
        ({"destination": {"url": "sftp://x/y"}}, "transactions.0.destination.url: the URL alone is not enough"),
        ({"destination": {"url": "file:../x"}}, "transactions.0.destination.url: '..' cannot be a file's name"),
        ({"destination": {"url": "file:state/x"}}, "transactions.0.destination.url: file:state/x: the hub's own state"),
        ({"destination": {"url": "file:/etc"}}, "transactions.0.destination.url: the folder is neither below"),
        ({"destination": {"url": "endpoint:none"}}, "transactions.0.destination.url: there is no endpoint none"),
        ({"source": {"url": "file:a", "files": ["a/b"]}}, "transactions.0.source.files.0: is a name or a pattern"),
    ],
)
def test_a_problem_is_named_by_its_path(change, problem):
    """Each problem is one line that begins with its path; options that are not built yet are named as such."""
    (found,) = _problems({"transactions": [{**ONE, **change}]})
    assert found.startswith(problem)


def test_the_stop_of_a_worker_fits_into_the_time_of_its_tasks():
    """A worker signs out in that time, or a later one would end the jobs that wait (E11)."""
    found = _problems({"diplomat": {"jobs": {"stop_grace": "21s"}}, "transactions": []})
    assert found == ["diplomat.jobs.stop_grace: Must be less than or equal to 20.0."]
    longest = LONGEST_STOP_GRACE_S + dispatcher._STOPPED_WITHIN_S + dispatcher._KILLED_WITHIN_S
    assert longest < background_tasks.GRACE_S < local_hub._WORKER_GRACE_S < 40


@pytest.mark.parametrize("key", ["sessions.idle", "sessions.absolute", "histories.update_rate", "jobs.lease"])
def test_a_duration_that_nobody_could_keep_is_refused_18_a23_a45(key):
    """A session of no length, an update rate of 0 and a lease of no length are problems of their keys."""
    section, name = key.split(".")
    assert _problems({"diplomat": {section: {name: "0s"}}}) == [f"diplomat.{key}: Must be greater than or equal to 1."]
    read_sections({"diplomat": {section: {name: "1s"}}}, READER)


@pytest.mark.parametrize("key", ["sessions.limit", "histories.keep_newest", "jobs.queue_limit", "log_buffer_lines"])
def test_a_number_that_no_database_compares_is_refused_e45(key):
    """With such a number of lines a view was answered 500, and with one of jobs none was ever purged."""
    *sections, name = key.split(".")
    for number, problems in ((10**9, []), (10**20, [f"diplomat.{key}: Must be"])):
        document = {name: number}
        for section in sections:
            document = {section: document}
        if not problems:
            read_sections({"diplomat": document}, READER)
            continue
        (found,) = _problems({"diplomat": document})
        assert found.startswith(problems[0])


def test_all_problems_come_at_once():
    """Problems of every section are reported together."""
    document = {
        "diplomat": {"apii": True, "sessions": {"limit": 0}, "mail": {}, "license": {"valid_until": "soon"}},
        "openpgp": {"x": {}},
        "allowed_folders": ["relative", "/nonexistent/data/state/x"],
        "endpoints": {"far": {"url": "s3://x"}},
        "transactions": [ONE, {**ONE, "id": 5}, {"name": ""}],
    }
    text = "\n".join(_problems(document))
    for path in ("diplomat.apii", "diplomat.sessions.limit", "diplomat.mail.smtp", "openpgp.x", "endpoints.far.url"):
        assert f"{path}:" in text
    for part in (
        "allowed_folders: relative",
        "allowed_folders: /nonexistent",
        "transactions.1.name: one is given twice",
    ):
        assert part in text


def test_a_worker_imports_once_what_the_configured_endpoints_need():
    """The libraries of the kinds in use are named, those of others are not, and a broken section is no obstacle."""
    named = {"endpoints": {"bucket": {"url": "s3://landing"}, "odd": 5}}
    assert child_modules(named)[1:] == ("mft_common.endpoints.s3", "boto3")
    plain = {"transactions": [{"source": {"url": "sftp://u@h/x"}, "destination": {"url": "file:to"}}, "odd"]}
    assert child_modules(plain)[1:] == ("mft_common.endpoints.sftp", "asyncssh")
    assert child_modules({"endpoints": [], "transactions": 3}) == child_modules({})


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"on": ["Failed"], "email": ["a@x.test"]}, "transactions.0.notify.0.on.0: is none of"),
        ({"on": [], "email": ["a@x.test"]}, "transactions.0.notify.0.on: Shorter than"),
        ({"on": ["*"]}, "transactions.0.notify.0: needs email, webhook or both"),
        ({"on": ["*"], "email": ["a"]}, "transactions.0.notify.0.email.0: is no mail address"),
        ({"on": ["*"], "email": ["a@x.test,b@x.test"]}, "transactions.0.notify.0.email.0: is no mail address"),
        ({"on": ["*"], "email": ["all:a@x.test;"]}, "transactions.0.notify.0.email.0: is no mail address"),
        ({"on": ["*"], "webhook": "https://x.test/"}, "transactions.0.notify.0: a webhook and the secret"),
        ({"on": ["*"], "webhook": "https://x.test/", "secret": "clear"}, "transactions.0.notify.0.secret: a secret is"),
        ({"on": ["*"], "webhook": ["x"], "secret": {"env": "S"}}, "transactions.0.notify.0.webhook: is an https: URL"),
        ({"on": ["*"], "webhook": "http://x.test/", "secret": {"env": "S"}}, "notify.0.webhook: a webhook without TLS"),
        ({"on": ["*"], "webhook": "http://[", "secret": {"env": "S"}}, "transactions.0.notify.0.webhook: "),
        ({"on": ["*"], "webhook": {"env": "N"}, "secret": {"env": "S"}}, "notify.0.webhook: the environment has no"),
        ({"on": ["late"], "email": ["a@x.test"]}, "transactions.0.notify.0.after: late needs a schedule"),
        ({"on": ["*"], "email": ["a@x.test"]}, "transactions.0.notify.0.email: diplomat.mail names no server"),
        (
            {"on": ["Failure", "success"], "email": ["a@x.test"], "after": "5m"},
            "notify.0.after: has a meaning with late",
        ),
    ],
)
def test_problems_of_a_notification_are_named_e43(rule, problem):
    """Each has its path; a secret in clear is not repeated."""
    with pytest.raises(ConfigError) as caught:
        read_sections({"transactions": [{**ONE, "notify": [rule]}]}, Reader(DATA, {"S": "signs"}, data=DATA))
    assert any(problem in one for one in caught.value.problems), caught.value.problems
    assert not any('clear"' in one for one in caught.value.problems)


@pytest.mark.parametrize(
    ("mail", "problem"),
    [
        ({"smtp": "mail.test", "from": "a@x.test"}, "diplomat.mail: a mail server is smtp://HOST"),
        ({"smtp": "smtp://u:p@mail.test", "from": "a@x.test"}, "diplomat.mail: a mail server is smtp://HOST"),
        ({"smtp": "smtp://mail.test", "from": "x"}, "diplomat.mail.from: is no mail address"),
        (
            {"smtp": "smtp://mail.test", "from": "a@x.test", "password": "p"},
            "diplomat.mail.password: a secret is given",
        ),
        ({"smtp": "smtp://mail.test", "from": "a@x.test", "user": "u"}, "diplomat.mail.password: a user needs one"),
    ],
)
def test_problems_of_the_mail_server_are_named_e43(mail, problem):
    """Each has its path."""
    assert any(problem in one for one in _problems({"diplomat": {"mail": mail}}))


@pytest.mark.parametrize(
    ("section", "own", "problem"),
    [
        ({"url": "nothing"}, {}, "diplomat.audit.url: is no URL of a database"),
        ({"url": "nothing://host/x"}, {}, "diplomat.audit.url: no driver for nothing is installed"),
        ({"url": "postgresql://u:p@host/x"}, {}, "diplomat.audit.url: holds no password"),
        ({"url": "postgresql://host/x?password=p"}, {}, "diplomat.audit.url: holds no password"),
        ({"url": "postgresql://host/x", "password": "p"}, {}, "diplomat.audit.password: a secret is given"),
        ({"url": "sqlite://"}, {}, "diplomat.audit.url: a SQLite database needs a file"),
        ({"url": "sqlite:///../audit.db"}, {}, "diplomat.audit.url: a relative file lies below"),
        ({"url": "sqlite:///state/diplomat-svc/diplomat.db"}, {}, "diplomat.audit.url: a relative file lies below"),
        ({"url": "sqlite:///file:audit.db?uri=true"}, {}, "diplomat.audit.url: a file: name is absolute"),
        (None, {"record": True}, "transactions.0.audit: diplomat.audit names no database"),
        (None, {"critical": True}, "transactions.0.audit.critical: there is no record"),
        ({"url": "sqlite:///a.db"}, {"record": False, "critical": True}, "transactions.0.audit.critical: there is no"),
    ],
)
def test_problems_of_the_audit_are_named_76(section, own, problem):
    """Each has its path, and a password is not repeated."""
    document = {"transactions": [{**ONE, "audit": own}], "diplomat": {} if section is None else {"audit": section}}
    problems = _problems(document)
    assert any(one.startswith(problem) for one in problems), problems


@pytest.mark.parametrize(
    ("section", "own", "expected"),
    [
        (None, {}, (False, False)),
        ({}, {}, (True, False)),
        ({"critical": True}, {}, (True, True)),
        ({"critical": True}, {"critical": False}, (True, False)),
        ({}, {"critical": True}, (True, True)),
        ({"critical": True}, {"record": False}, (False, False)),
    ],
)
def test_a_transaction_is_audited_as_its_section_says_76(section, own, expected):
    """Its own values win."""
    diplomat = {} if section is None else {"audit": {"url": "sqlite:///a/b.db", **section}}
    found = read_sections({"transactions": [{**ONE, "audit": own}], "diplomat": diplomat}, READER)
    audit = found.transactions[0].audit
    assert (audit.record, audit.critical) == expected
    assert (None if found.audit is None else found.audit.url) == (
        None if section is None else "sqlite:////nonexistent/data/a/b.db"
    )
