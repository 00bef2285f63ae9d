"""`crossdock key`: list, show, new, import, export, and the `openpgp` section of the configuration."""

import json
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from crossdock.command import main
from mft_common.config import Reader
from mft_common.transfer.steps.openpgp import program, read_keys
from tests.servers.gnupg import PASSPHRASE, Partner
from tests.servers.processes import wait_until
from tests.servers.small_disk import run_on_small_disk


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the key files of two sides and a configuration that names them."""
    made = tmp_path_factory.mktemp("keys")
    partner = Partner()
    try:
        partner.make("ours")
        partner.make("acme")
        partner.make("old", at="20200101T000000", expires="1y")
        for name in ("acme", "old"):
            (made / f"{name}.asc").write_text(partner.public(name))
        (made / "ours.asc").write_text(partner.secret("ours"))
    finally:
        partner.close()
    (made / "pass").write_text(f"{PASSPHRASE}\n")
    (made / "good.yaml").write_text(
        "openpgp:\n  ours-2026: {secret: {file: ours.asc}, passphrase: {file: pass}}\n"
        "  acme: {public: {file: acme.asc}}\n"
    )
    (made / "old.yaml").write_text("openpgp:\n  old: {public: {file: old.asc}}\n")
    return made


def run(*arguments, code=0):
    """Run the command and return its output; no passphrase is ever in it."""
    done = CliRunner().invoke(main, ["key", *map(str, arguments)])
    assert done.exit_code == code, done.output
    assert PASSPHRASE not in done.output
    assert "PRIVATE KEY" not in done.output
    return done.output


def test_list_shows_names_fingerprints_and_dates(folder):
    """Exit code 0 while all keys can be used."""
    lines = run("list", "--config", folder / "good.yaml").splitlines()
    assert [line.split()[:2] for line in lines] == [["name", "kind"], ["acme", "public"], ["ours-2026", "secret"]]
    rows = json.loads(run("list", "--config", folder / "good.yaml", "--format", "json"))
    assert [(row["name"], row["kind"], row["state"]) for row in rows] == [
        ("acme", "public", "valid"), ("ours-2026", "secret", "valid"),
    ]  # fmt: skip
    assert rows[0]["user_ids"] == ["acme <acme@example.org>"]
    assert len(rows[0]["fingerprint"]) == 40


def test_list_and_show_say_that_a_key_has_expired(folder):
    """Exit code 1, and the date."""
    assert "expired on 2020-12-31" in run("list", "--config", folder / "old.yaml", code=1)
    rows = json.loads(run("show", "old", "--config", folder / "old.yaml", "--format", "json", code=1))
    assert [part["uses"] for part in rows[0]["parts"]] == ["sc", "e"]


def test_show_names_the_parts_and_an_unknown_name_is_an_error(folder):
    """Exit code 2 for a key that the configuration lacks."""
    shown = run("show", "ours-2026", "--config", folder / "good.yaml")
    assert "user id ours <ours@example.org>" in shown
    assert "ECDH 255 [e]" in shown
    assert "has no key nobody" in run("show", "nobody", "--config", folder / "good.yaml", code=2)


def test_a_new_key_is_written_for_its_owner_alone_and_works_in_the_configuration(folder, tmp_path):
    """The output of `new` is a section that `list` reads."""
    secret, public = tmp_path / "s.asc", tmp_path / "p.asc"
    arguments = ["new", "hub", "--user-id", "Hub Example <hub@example.org>", "--secret", secret, "--public", public]
    arguments += ["--algorithm", "ed25519", "--passphrase-file", folder / "pass"]
    section = run(*arguments)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (secret, public)] == [0o600, 0o600]
    (tmp_path / "crossdock.yaml").write_text(section)
    rows = json.loads(run("list", "--config", tmp_path / "crossdock.yaml", "--format", "json"))
    assert [(row["name"], row["kind"], row["user_ids"]) for row in rows] == [
        ("hub", "secret", ["Hub Example <hub@example.org>"])
    ]
    assert "exists already" in run(*arguments, code=2)
    partner = Partner()
    try:
        partner.gpg("--import", given=public.read_bytes())
        listed = partner.gpg("--with-colons", "--list-keys").stdout.decode()
        preferences = partner.gpg("--list-packets", given=public.read_bytes()).stdout.decode()
    finally:
        partner.close()
    assert rows[0]["fingerprint"] in listed
    assert "pref-sym-algos: 9 8 7" in preferences
    assert "pref-aead" not in preferences


def test_files_of_a_key_that_have_no_room_are_not_left_in_part(folder, tmp_path):
    """The disk is full: half a secret key would be in the way of the next `key new`, and look like a key."""
    disk = tmp_path / "disk"
    arguments = ["key", "new", "new", "--user-id", "New <new@example.org>", "--algorithm", "ed25519"]
    arguments += ["--secret", tmp_path / "secret.asc", "--public", disk / "public.asc"]
    arguments += ["--passphrase-file", folder / "pass"]
    command = shlex.join(map(str, [sys.executable, "-m", "crossdock", *arguments]))
    script = f"head -c 4M /dev/zero > {disk}/filler; {command}; echo $? $(ls {disk})"
    done = run_on_small_disk(["bash", "-c", script], disk, mebibytes=1)
    assert done.stdout.split() == ["2", "filler"], done.stderr
    assert "No space left on device" in done.stderr
    assert not (tmp_path / "secret.asc").exists()


def test_a_signal_leaves_no_folder_with_the_secret_key(folder, tmp_path):
    """The key is made in memory, where no later command would look for it."""
    arguments = ["--secret", tmp_path / "s", "--public", tmp_path / "p", "--passphrase-file", folder / "pass"]
    arguments += ["--user-id", "New <new@example.org>", "--algorithm", "rsa4096"]
    command = [sys.executable, "-m", "crossdock", "key", "new", "new", *arguments]
    before = made_by_agents()
    with subprocess.Popen(map(str, command), stderr=subprocess.PIPE, text=True) as running:
        wait_until(lambda: made_by_agents() - before)
        made = made_by_agents() - before
        running.terminate()
        stderr = running.communicate(timeout=20)[1]
    assert (running.returncode, stderr) == (130, "crossdock: interrupted\n")
    assert not any(path.exists() for path in made)


def made_by_agents():
    """Return the files of secret keys in memory; that of the subkey is the second one of a new key."""
    return set(Path("/dev/shm").glob("crossdock-key-*/openpgp-*/private-keys-v1.d/*.key"))


def test_a_passphrase_can_be_typed(folder, tmp_path):
    """It is not shown, and the section refers to a variable."""
    done = CliRunner().invoke(
        main,
        ["key", "new", "hub", "--user-id", "Hub <hub@example.org>", "--secret", str(tmp_path / "s"), "--algorithm",
         "ed25519", "--public", str(tmp_path / "p")],
        input=f"{PASSPHRASE}\n{PASSPHRASE}\n",
    )  # fmt: skip
    assert done.exit_code == 0
    assert PASSPHRASE not in done.output
    assert "passphrase: {env: PGP_PASSPHRASE}" in done.output


def test_import_checks_a_file_and_says_what_to_write(folder, tmp_path):
    """Exit code 1 for a key that has expired, 2 for a file that holds none."""
    assert f'acme: {{public: {{file: "{folder / "acme.asc"}"}}}}' in run("import", "acme", folder / "acme.asc")
    assert "passphrase: {env:" in run("import", "ours", folder / "ours.asc")
    assert "expired on 2020-12-31" in run("import", "old", folder / "old.asc", code=1)
    (tmp_path / "junk").write_text("hello")
    assert "holds 0 keys" in run("import", "junk", tmp_path / "junk", code=2)


def test_export_gives_the_public_part_alone(folder, tmp_path):
    """Also of a secret key, and without its passphrase."""
    text = run("export", "ours-2026", "--config", folder / "good.yaml")
    assert text.startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----")
    run("export", "ours-2026", "--config", folder / "good.yaml", "--output", tmp_path / "out.asc")
    assert (tmp_path / "out.asc").read_text() == text
    assert "public: {file:" in run("import", "ours", tmp_path / "out.asc")


def problems(section, folder, environ=None):
    reader = Reader(folder, environ or {})
    read_keys(section, reader)
    return reader.problems


def test_every_problem_of_the_section_is_named_by_its_path(folder):
    """None of the texts holds a secret."""
    found = problems(
        {
            "a": {"public": {"file": "acme.asc"}, "secret": {"file": "ours.asc"}},
            "b": {"public": {"file": "ours.asc"}},
            "c": {"public": {"file": "acme.asc"}, "passphrase": {"file": "pass"}},
            "d": {"secret": {"file": "missing.asc"}},
            "e": {"secret": "plain"},
            "f": {"colour": 1},
            "g g": {},
            "h": {"public": {"file": "acme.asc"}},
        },
        folder,
    )
    assert sorted(problem.split(":")[0] for problem in found) == sorted(
        ["openpgp.a", "openpgp.b", "openpgp.c.passphrase", "openpgp.d.secret", "openpgp.e.secret", "openpgp.f.colour",
         "openpgp.g g"]
    )  # fmt: skip
    assert PASSPHRASE not in "".join(found)


def test_a_missing_gpg_is_named_where_keys_are_configured(folder, monkeypatch):
    """Without a key section gpg is not needed."""
    monkeypatch.setattr(program.shutil, "which", lambda _: None)
    section = {"acme": {"public": {"file": "acme.asc"}}, "old": {"public": {"file": "old.asc"}}}
    assert problems(section, folder) == [f"openpgp: gpg {program.MISSING}"]
    assert problems({}, folder) == []
    done = CliRunner().invoke(main, ["check", str(folder / "good.yaml")])
    assert done.exit_code == 2
    assert "gpg is not installed" in done.output


def test_check_takes_the_section(folder):
    """`crossdock check` reads the keys and refuses a file that holds none."""
    assert CliRunner().invoke(main, ["check", str(folder / "good.yaml")]).exit_code == 0
    bad = folder / "bad.yaml"
    bad.write_text("openpgp: {ours: {secret: {file: pass}}}\n")
    done = CliRunner().invoke(main, ["check", str(bad)])
    assert done.exit_code == 2
    assert "openpgp.ours: the file holds 0 keys" in done.output
