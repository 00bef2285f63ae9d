"""A partner with a gpg of their own: makes keys, encrypts, decrypts, and ends its agent."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.servers.made_secrets import note_key, secret

PREFERENCES = "AES256 AES192 AES SHA512 SHA384 SHA256 ZLIB BZIP2 ZIP Uncompressed"
PASSPHRASE = secret("passphrase of OpenPGP")


class Partner:
    """A keyring in a short folder; `close` ends its agent."""

    def __init__(self):
        self.home = Path(tempfile.mkdtemp(prefix="pgp-"))
        # Without it the agent measures the machine for each key.
        (self.home / "gpg-agent.conf").write_text("s2k-count 65536\n")

    def gpg(self, *arguments, given=b"", passphrase=PASSPHRASE, check=True):
        command = ["gpg", "--homedir", self.home, "--batch", "--no-tty", "--yes", "--pinentry-mode", "loopback"]
        command += ["--passphrase", passphrase, "--trust-model", "always", *arguments]
        done = subprocess.run(command, input=given, capture_output=True, check=False)
        if check and done.returncode:
            raise AssertionError(done.stderr.decode())
        return done

    def make(self, name, *, at=None, expires="0", passphrase=PASSPHRASE, subkey=True):
        """Make a key with Curve 25519 and return its fingerprint."""
        text = f"Key-Type: eddsa\nKey-Curve: ed25519\nKey-Usage: sign\nName-Real: {name}\nExpire-Date: {expires}\n"
        text += f"Name-Email: {name}@example.org\n"
        if subkey:
            text += "Subkey-Type: ecdh\nSubkey-Curve: cv25519\nSubkey-Usage: encrypt\n"
        if not passphrase:
            text += "%no-protection\n"
        faked = [] if at is None else ["--faked-system-time", f"{at}!"]
        made = self.gpg(
            *faked, "--status-fd", "1", "--default-preference-list", PREFERENCES, "--gen-key", given=text.encode(),
            passphrase=passphrase,
        )  # fmt: skip
        return re.search(rb"KEY_CREATED \w (\w{40})", made.stdout)[1].decode()

    def public(self, name):
        return self.gpg("--armor", "--export", f"{name}@example.org").stdout.decode()

    def secret(self, name, passphrase=PASSPHRASE):
        made = self.gpg("--armor", "--export-secret-keys", f"{name}@example.org", passphrase=passphrase)
        return note_key(f"the OpenPGP key {name}", made.stdout.decode())

    def revoke(self, fingerprint):
        certificate = (self.home / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text()
        self.gpg("--import", given=certificate.replace(":-----BEGIN", "-----BEGIN").encode())

    def close(self):
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "all"], check=False)
        shutil.rmtree(self.home, ignore_errors=True)
