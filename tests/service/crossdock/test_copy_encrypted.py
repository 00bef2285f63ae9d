"""`crossdock copy --encrypt-to`: the delivered file opens with the key; a key that may not be used stops everything."""

import hashlib
import json

import pytest
from click.testing import CliRunner

from crossdock.command import main
from tests.servers.gnupg import Partner


@pytest.fixture(scope="module")
def partner():
    made = Partner()
    made.make("acme")
    made.make("old", at="20200101T000000", expires="1y")
    yield made
    made.close()


@pytest.fixture
def here(tmp_path, monkeypatch, partner):
    """The current folder, with two files and the public keys of a partner."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "a.txt").write_bytes(b"for acme alone")
    for name in ("acme", "old"):
        (tmp_path / f"{name}.asc").write_text(partner.public(name))
    (tmp_path / "crossdock.yaml").write_text(
        "openpgp:\n  acme: {public: {file: acme.asc}}\n  old: {public: {file: old.asc}}\n"
        "  other: {public: {file: not-here.asc}}\n"
    )
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(main, ["copy", *arguments])


def test_what_is_delivered_opens_with_the_key(here, partner):
    """The name gets an ending, and the report has both checksums; other keys of the section are not read."""
    result = run("from", "to", "--encrypt-to", "acme", "--format", "json")
    assert result.exit_code == 0, result.output
    delivered = (here / "to" / "a.txt.pgp").read_bytes()
    assert b"acme" not in delivered
    assert partner.gpg("--decrypt", given=delivered).stdout == b"for acme alone"
    (file,) = json.loads(result.stdout)["files"]
    assert file["sha256"] == hashlib.sha256(delivered).hexdigest()
    assert file["source_sha256"] == hashlib.sha256(b"for acme alone").hexdigest()
    assert [path.name for path in (here / "data/state/copy").iterdir()] == ["lock"]
    # Keys of gpg are below it for the time of a copy.
    assert [(here / folder).stat().st_mode & 0o777 for folder in ("data/state", "data/state/copy")] == [0o700, 0o700]


def test_a_name_that_is_given_in_full_gets_no_ending(here, partner):
    """The user has chosen it."""
    assert run("from/a.txt", "out.bin", "--encrypt-to", "acme").exit_code == 0
    assert partner.gpg("--decrypt", given=(here / "out.bin").read_bytes()).stdout == b"for acme alone"


@pytest.mark.parametrize(("name", "reason"), [("old", "expired"), ("nobody", "has no key nobody"), ("other", "other")])
def test_a_key_that_cannot_be_used_stops_everything(here, name, reason):
    """Expired, unknown, or with a file that is missing: nothing is copied in clear, and nothing is made."""
    result = run("from", "to", "--encrypt-to", "acme", "--encrypt-to", name)
    assert result.exit_code == 2, result.output
    assert reason in result.stderr
    assert not (here / "to").exists()
