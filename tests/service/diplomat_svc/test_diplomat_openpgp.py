"""Jobs that encrypt, sign, decrypt and verify, with a partner's GnuPG at the other end (E33, E34)."""

import json
import os

import pytest

from diplomat_svc.bootstrap import build
from diplomat_svc.operations.running.protection import Protection
from diplomat_svc.settings import Settings
from mft_common.config import Reader
from mft_common.transfer.steps.openpgp.home import _locked_folder
from tests.servers.diplomat_jobs import finished, log
from tests.servers.gnupg import PASSPHRASE, Partner

CONTENT = b"orders of today\n" * 5_000


@pytest.fixture(scope="module")
def partner():
    """The partner's keyring: keys of both sides, and two that have expired."""
    made = Partner()
    try:
        for name in ("acme", "other"):
            made.make(name)
        made.make("ours", at="20200101T000000")
        for name in ("old", "lapsed"):
            made.make(name, at="20200101T000000", expires="1y")
        yield made
    finally:
        made.close()


@pytest.fixture
def dock(hub, tmp_path, partner):
    """Return a function that builds a hub with the section `openpgp`; `files` are those of DATA/from."""

    def make(*transactions, files, **options):
        section = {}
        for name in ("ours", "lapsed"):
            (tmp_path / name).write_text(partner.secret(name))
            section[name] = {"secret": {"file": name}, "passphrase": {"env": "PGP_PASS"}}
        for name in ("acme", "other", "old"):
            (tmp_path / name).write_text(partner.public(name))
            section[name] = {"public": {"file": name}}
        reader = Reader(tmp_path, {"PGP_PASS": PASSPHRASE})
        made = hub(*transactions, openpgp=section, reader=reader, **options).log_in()
        for name, content in files.items():
            (made.data / "from" / name).write_bytes(content)
        return made

    return make


def _arrived(made):
    return sorted(os.listdir(made.data / "to"))  # noqa: PTH208


def _fake_time(name):
    return ("--faked-system-time", "20200601T000000!") if name.startswith("old") else ()


def _message(partner, *options, signer="acme", content=CONTENT):
    """Return a message of the partner's gpg, signed as of 2020 where the key has expired since."""
    return partner.gpg(*_fake_time(signer), "--local-user", f"{signer}@example.org", *options, given=content).stdout


@pytest.mark.parametrize("armor", [False, True])
def test_the_partner_reads_what_a_job_signs_and_encrypts_e34(dock, transaction, partner, armor):
    """One message, signed inside the encryption (E32), for all recipients; the name is the template's."""
    one = transaction(
        "one",
        openpgp={"encrypt": ["acme", "other"], "sign": "ours", "armor": armor},
        destination={"files": "*.pgp"},
    )
    made = dock(one, files={"a.csv": CONTENT, "empty": b""})
    job = finished(made)
    assert job.findtext("completionStatus") == "Successful"
    assert [one.findtext("size") for one in job.iter("fileHistory")] == [str(len(CONTENT)), "0"]
    message = (made.data / "to" / "a.csv.pgp").read_bytes()
    assert message.startswith(b"-----BEGIN PGP MESSAGE-----") is armor
    read = partner.gpg("--status-fd", "2", "--decrypt", given=message)
    assert read.stdout == CONTENT
    assert b"GOODSIG" in read.stderr
    assert b"BEGIN_DECRYPTION" in read.stderr
    assert partner.gpg("--decrypt", given=(made.data / "to" / "empty.pgp").read_bytes()).stdout == b""
    assert _arrived(made) == ["a.csv.pgp", "empty.pgp"]


def test_a_job_reads_what_the_partner_signs_and_encrypts_e34(dock, transaction, partner):
    """Decrypted and verified before the file has its name; the source is deleted, and the log says what was done."""
    one = transaction(
        "one", direction="inbound", openpgp={"decrypt": "ours", "verify": ["acme"]}, delete_source=True, mode="ascii"
    )
    message = _message(
        partner, "--sign", "--encrypt", "-r", "ours@example.org", content=CONTENT.replace(b"\n", b"\r\n")
    )
    made = dock(one, files={"a.csv": message})
    assert finished(made).findtext("completionStatus") == "Successful"
    assert (made.data / "to" / "a.csv").read_bytes() == CONTENT
    assert list((made.data / "from").iterdir()) == []
    assert any("Decrypted with ours, signature of one of acme." in text for text in log(made))
    summary = made.call("summary", ("transactionName", "one")).text("summary").splitlines()
    assert "Encryption: decrypted with ours" in summary
    assert "Signature: verified, by one of acme" in summary


def test_signed_messages_without_encryption_go_there_and_back(dock, transaction, partner):
    """`sign` alone, and `verify` alone."""
    there = transaction("there", openpgp={"sign": "ours"}, destination={"files": "*.sig"})
    back = transaction("back", direction="inbound", openpgp={"verify": ["acme"]}, source={"files": ["b.*"]})
    made = dock(there, back, files={"a.csv": CONTENT, "b.csv": _message(partner, "--sign")})
    assert finished(made, name="back").findtext("completionStatus") == "Successful"
    assert (made.data / "to" / "b.csv").read_bytes() == CONTENT
    assert finished(made, name="there").findtext("completionStatus") == "Successful"
    assert partner.gpg("--decrypt", given=(made.data / "to" / "a.csv.sig").read_bytes()).stdout == CONTENT


def test_bad_messages_deliver_nothing_and_stop_no_other_file_e33_75(dock, transaction, partner):
    """Cut, changed, unsigned, signed by another, for another key, and no message at all: Failure, sources kept."""
    good = _message(partner, "--sign", "--encrypt", "-r", "ours@example.org")
    changed = bytearray(good)
    changed[len(good) // 2] ^= 1
    files = {
        "changed": bytes(changed),
        "cut": good[:-20],
        "foreign": _message(partner, "--sign", "--encrypt", "-r", "other@example.org"),
        "good": good,
        "plain": CONTENT,
        "stranger": _message(partner, "--sign", "--encrypt", "-r", "ours@example.org", signer="other"),
        "unsigned": partner.gpg("--encrypt", "-r", "ours@example.org", given=CONTENT).stdout,
    }
    one = transaction("one", direction="inbound", openpgp={"decrypt": "ours", "verify": ["acme"]}, delete_source=True)
    made = dock(one, files=files)
    job = finished(made)
    assert job.findtext("completionStatus") == "Failure"
    ends = {one.findtext("source"): one.findtext("completionStatus") for one in job.iter("fileHistory")}
    assert ends == {name: "Successful" if name == "good" else "Failure" for name in files}
    assert _arrived(made) == ["good"]
    assert sorted(path.name for path in (made.data / "from").iterdir()) == sorted(files.keys() - {"good"})


@pytest.mark.parametrize(("key", "options"), [("old", {"encrypt": ["acme", "old"]}), ("lapsed", {"sign": "lapsed"})])
def test_an_expired_key_to_send_with_is_a_failure_before_anything_is_sent_75(dock, transaction, key, options):
    """The reason names the key and the date; no file is begun."""
    made = dock(transaction("one", openpgp=options), files={"a.csv": CONTENT})
    job = finished(made)
    assert (job.findtext("completionStatus"), job.findtext("filesFound")) == ("Failure", "1")
    assert job.find("fileHistory") is None
    assert any(f"the key {key} expired on 2020-12-31" in text for text in log(made))
    assert _arrived(made) == []


@pytest.mark.parametrize(
    ("openpgp", "recipient"), [({"decrypt": "ours", "verify": ["old", "acme"]}, "ours"), ({"verify": ["old"]}, None)]
)
def test_a_key_to_verify_with_that_has_expired_is_a_warning_and_keeps_the_source_74(
    dock, transaction, partner, openpgp, recipient
):
    """The plaintext is delivered all the same, and the log has the date."""
    options = ["--encrypt", "-r", f"{recipient}@example.org"] if recipient else []
    made = dock(
        transaction("one", direction="inbound", openpgp=openpgp, delete_source=True),
        files={"a.csv": _message(partner, *options, "--sign", signer="old")},
    )
    _check_warning(made, "a key that signed expired on 2020-12-31")


def test_a_key_to_verify_with_that_has_expired_and_did_not_sign_is_no_matter(dock, transaction, partner):
    """The key that signed is valid today."""
    one = transaction("one", direction="inbound", openpgp={"verify": ["old", "acme"]})
    made = dock(one, files={"a.csv": _message(partner, "--sign")})
    assert finished(made).findtext("completionStatus") == "Successful"


def test_a_key_to_decrypt_with_that_has_expired_is_a_warning_and_keeps_the_source_74(dock, transaction, partner):
    """A file that was encrypted before is delivered."""
    message = partner.gpg(*_fake_time("old"), "--encrypt", "-r", "lapsed@example.org", given=CONTENT).stdout
    one = transaction("one", direction="inbound", openpgp={"decrypt": "lapsed"}, delete_source=True)
    _check_warning(dock(one, files={"a.csv": message}), "the key lapsed expired on 2020-12-31")


def _check_warning(made, words):
    job = finished(made)
    assert job.findtext("completionStatus") == "Warning"
    assert (job.findtext("filesSuccessful"), job.findtext("filesFailed")) == ("1", "0")
    assert (made.data / "to" / "a.csv").read_bytes() == CONTENT
    assert (made.data / "from" / "a.csv").exists()
    assert any(words in text for text in log(made))


def test_a_child_gets_the_keys_of_its_job_and_no_passphrase_is_told(dock, transaction):
    """Keys that the transaction does not name stay with the worker; no log, event or answer has a passphrase."""
    made = dock(transaction("one", openpgp={"encrypt": ["acme"], "sign": "ours"}), files={"a.csv": CONTENT})
    configuration = made.service.follower.current
    means = configuration.means(made.service.configuration.transactions[0])
    assert sorted(key["name"] for key in means["keys"]) == ["acme", "ours"]
    assert finished(made).findtext("completionStatus") == "Successful"
    tables = [row.name for row in made.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    stored = [str(made.rows(f"SELECT * FROM {table}")) for table in tables]
    assert PASSPHRASE not in json.dumps([*stored, repr(configuration), str(means["endpoints"])])
    assert "PRIVATE KEY" not in json.dumps([*stored, repr(configuration)])


def test_homes_that_killed_jobs_left_are_removed_when_a_worker_starts(dock, transaction):
    """A home whose process is gone is locked by nobody."""
    made = dock(transaction("one"), files={})
    private = made.service.follower.current.private
    private.mkdir(parents=True)
    folder, descriptor = _locked_folder(private)
    os.close(descriptor)
    assert folder.exists()
    with made.work():
        made.ready()
    assert list(private.iterdir()) == []


def test_without_openpgp_no_home_is_made(tmp_path):
    """A job without keys needs no gpg."""
    with Protection(None, (), tmp_path) as protection:
        protection.open()
        assert not protection.encrypts
        assert not protection.decrypts
    assert list(tmp_path.iterdir()) == []


def test_references_to_the_environment_are_to_that_of_the_process(tmp_path):
    """A service that is started by itself resolves `{env: NAME}` by its own environment, given once."""
    (tmp_path / "crossdock.yaml").write_text(
        "endpoints: {far: {url: 'ftp://u@h.example/', password: {env: FTP_PASSWORD}}}\n"
    )
    settings = Settings(data=str(tmp_path), config=str(tmp_path / "crossdock.yaml"))
    service = build(settings, directory=object(), environ={"FTP_PASSWORD": "word"})
    try:
        assert service.configuration.endpoints.find("endpoint:far").password == "word"
    finally:
        service.close()
