"""OpenPGP through gpg: both ways with a partner's gpg, and what is refused (B21, B22, B24, E33)."""

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESOCB3

from mft_common.endpoints.errors import DiskFull
from mft_common.transfer.steps.openpgp import (
    Decrypt,
    Encrypt,
    Home,
    KeyRefused,
    MessageRefused,
    OpenPgpError,
    WrongPassphrase,
    read_key,
    remove_homes,
)
from mft_common.transfer.steps.openpgp.home import _locked_folder
from mft_common.transfer.steps.openpgp.listing import parse
from mft_common.transfer.steps.openpgp.packets import encryption_packet
from mft_common.transfer.steps.openpgp.program import Program
from tests.servers.gnupg import PASSPHRASE, Partner
from tests.servers.processes import is_running, wait_until
from tests.servers.small_disk import run_on_small_disk
from tests.servers.stopwatch import Stopwatch

THEN = ("--faked-system-time", "20200601T000000!")
CONTENT = random.Random(3).randbytes(150_000) + b"text\r\n" * 10_000


@pytest.fixture(scope="module")
def partner():
    """The partner's keyring: keys of both sides, one expired, one revoked, one that cannot encrypt."""
    made = Partner()
    try:
        for name in ("ours", "acme", "other"):
            made.make(name)
        made.make("old", at="20200101T000000", expires="1y")
        made.revoke(made.make("gone"))
        made.make("signonly", subkey=False)
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def keys(partner):
    """Our configured keys: a secret one, and the partners' public ones."""
    public = {name: read_key(name, partner.public(name), secret=False) for name in ("acme", "other", "old", "gone")}
    public["signonly"] = read_key("signonly", partner.public("signonly"), secret=False)
    return {"ours": read_key("ours", partner.secret("ours"), secret=True, passphrase=PASSPHRASE), **public}


@pytest.fixture(scope="module")
def home(keys, tmp_path_factory):
    """One job's home, in a folder whose path is longer than a socket's address may be."""
    private = tmp_path_factory.mktemp("state") / ("x" * 100)
    with Home(private, keys.values()) as opened:
        yield opened
    assert not list(private.iterdir())


def through(step, data, size=65_537, made=None):
    """Return what a step makes of data, closing it whatever happens; `made` collects it."""
    made = [] if made is None else made
    try:
        for start in range(0, len(data), size):
            made.extend(step.feed(data[start : start + size]))
        made.extend(step.finish())
    finally:
        step.close()
    return b"".join(made)


def refused(step, data, error=MessageRefused, match=None):
    """Check that a step releases not one byte and raises, and leaves no file."""
    made = []
    with pytest.raises(error, match=match):
        through(step, data, made=made)
    assert not b"".join(made)


@pytest.mark.parametrize("armor", [False, True])
def test_the_partner_reads_what_we_sign_and_encrypt_for_several(partner, home, armor):
    """One message for two recipients: AES-256 in packet 18, signed inside, not compressed."""
    message = through(Encrypt(home, ["acme", "other"], signer="ours", armor=armor), CONTENT)
    assert message.startswith(b"-----BEGIN PGP MESSAGE-----") == armor
    assert encryption_packet(message) == 18
    done = partner.gpg("--status-fd", "2", "--decrypt", given=message)
    assert done.stdout == CONTENT
    for line in (b"GOODSIG", b"DECRYPTION_INFO 2 9", b"GOODMDC"):
        assert line in done.stderr
    assert done.stderr.count(b"ENC_TO") == 2
    packets = partner.gpg("--list-packets", given=message).stdout
    assert b":compressed packet:" not in packets


@pytest.mark.parametrize(
    "options", [(), ("--compress-algo", "zlib"), ("--compress-algo", "bzip2", "--armor"), ("-r", "other")]
)
def test_we_read_what_the_partner_signs_and_encrypts(partner, home, options):
    """Compressed, armored and for several recipients."""
    message = partner.gpg("-u", "acme", "-r", "ours", *options, "--sign", "--encrypt", given=CONTENT).stdout
    step = Decrypt(home, "ours", verify=["other", "acme"])
    assert through(step, message) == CONTENT
    assert step.warnings == []


def test_empty_files_go_there_and_back(home, partner):
    """A message of no byte is a message."""
    assert partner.gpg("--decrypt", given=through(Encrypt(home, ["acme"]), b"")).stdout == b""
    message = partner.gpg("-u", "acme", "-r", "ours", "--sign", "--encrypt", given=b"").stdout
    assert through(Decrypt(home, "ours", verify=["acme"]), message) == b""


def test_signed_messages_go_there_and_back_without_encryption(home, partner):
    """A message can be signed alone, and is verified before it is released."""
    assert partner.gpg("--decrypt", given=through(Encrypt(home, signer="ours"), CONTENT)).stdout == CONTENT
    message = partner.gpg("-u", "acme", "--sign", given=CONTENT).stdout
    assert through(Decrypt(home, verify=["acme"]), message) == CONTENT
    refused(Decrypt(home, verify=["other"]), message, match="a key that is not allowed")
    damaged = bytearray(partner.gpg("-u", "acme", "--compress-algo", "none", "--sign", given=CONTENT).stdout)
    damaged[70_000] ^= 1
    refused(Decrypt(home, verify=["acme"]), bytes(damaged), match="BADSIG")


def test_signatures_are_not_looked_at_where_none_are_asked_for(home, partner):
    """A partner may sign although no key to verify with is configured."""
    stranger = Partner()
    try:
        stranger.make("stranger")
        stranger.gpg("--import", given=partner.public("ours").encode())
        message = stranger.gpg("-u", "stranger", "-r", "ours", "--sign", "--encrypt", given=CONTENT).stdout
    finally:
        stranger.close()
    assert through(Decrypt(home, "ours"), message) == CONTENT
    refused(Decrypt(home, "ours", verify=["acme"]), message, match="ERRSIG, NO_PUBKEY")


def test_the_wrong_signer_no_signature_and_no_encryption_are_refused(home, partner):
    """Exit code 0 is not enough: the signature must be there, be of an allowed key, and lie inside the encryption."""
    both = partner.gpg("-u", "acme", "-r", "ours", "--sign", "--encrypt", given=CONTENT).stdout
    refused(Decrypt(home, "ours", verify=["other"]), both, match="a key that is not allowed")
    unsigned = partner.gpg("-r", "ours", "--encrypt", given=CONTENT).stdout
    refused(Decrypt(home, "ours", verify=["acme"]), unsigned, match="not signed")
    signed = partner.gpg("-u", "acme", "--sign", given=CONTENT).stdout
    refused(Decrypt(home, "ours", verify=["acme"]), signed, match="not inside the encryption|not encrypted")
    refused(Decrypt(home, "ours"), signed, match="not encrypted")
    refused(Decrypt(home, verify=["acme"]), both, match="encrypted where a signed one is expected")
    foreign = partner.gpg("-r", "other", "--encrypt", given=CONTENT).stdout
    refused(Decrypt(home, "ours"), foreign, match="not encrypted for our key")
    twice = partner.gpg("-u", "acme", "-u", "other", "-r", "ours", "--sign", "--encrypt", given=CONTENT).stdout
    refused(Decrypt(home, "ours", verify=["acme"]), twice, match="a key that is not allowed")
    assert through(Decrypt(home, "ours", verify=["acme", "other"]), twice) == CONTENT
    for junk in (b"", b"hello\n", b"-----BEGIN PGP MESSAGE-----\n", both + both, unsigned + signed):
        refused(Decrypt(home, "ours", verify=["acme"]), junk)


def test_signatures_of_keys_that_expired_or_were_revoked_are_refused(home, partner):
    """A key that is not valid today is refused before a byte is read, with its date."""
    for name, words in (("old", "expired on 2020-12-31"), ("gone", "was revoked on 20")):
        with pytest.raises(KeyRefused, match=rf"^the key {name} {words}"):
            Decrypt(home, "ours", verify=[name])
    message = partner.gpg(
        "--faked-system-time", "20200601T000000!", "-u", "old", "-r", "ours", "--ignore-time-conflict",
        "--ignore-valid-from", "--sign", given=CONTENT,
    ).stdout  # fmt: skip
    refused(Decrypt(home, verify=["acme"]), message, match="EXPKEYSIG")


@pytest.mark.parametrize(
    ("name", "words"),
    [("old", "expired on 2020-12-31"), ("gone", "was revoked on 20"), ("signonly", "cannot encrypt")],
)
def test_keys_that_may_not_be_used_are_refused_before_anything_is_sent(home, name, words):
    """The error names the key and the date; another good recipient does not help."""
    with pytest.raises(KeyRefused, match=rf"^the key {name} {words}") as caught:
        Encrypt(home, ["acme", name])
    assert not caught.value.heals


def test_signatures_of_an_expired_key_are_taken_where_that_is_asked_for_with_a_warning(home, partner):
    """No other reason to refuse a signature goes with it: not that of another key, nor a revoked key."""
    message = partner.gpg(*THEN, "--local-user", "old@example.org", "--sign", given=CONTENT).stdout
    step = Decrypt(home, verify=["old"], expired=True)
    assert through(step, message) == CONTENT
    assert step.warnings == ["a key that signed expired on 2020-12-31"]
    refused(Decrypt(home, verify=["acme"], expired=True), message)
    changed = bytearray(message)
    changed[len(changed) // 2] ^= 1
    refused(Decrypt(home, verify=["old"], expired=True), bytes(changed))
    with pytest.raises(KeyRefused, match="was revoked on 20"):
        Decrypt(home, verify=["gone"], expired=True)


def test_unknown_keys_and_public_keys_that_should_sign_are_refused(home):
    """A name that the configuration lacks is no key, and a public key signs nothing."""
    with pytest.raises(KeyRefused, match="no OpenPGP key nobody"):
        Encrypt(home, ["nobody"])
    with pytest.raises(KeyRefused, match="acme is a public key and cannot sign"):
        Encrypt(home, ["acme"], signer="acme")
    with pytest.raises(KeyRefused, match="acme is a public key and cannot decrypt"):
        Decrypt(home, "acme")
    with pytest.raises(OpenPgpError, match="neither"):
        Encrypt(home)


def test_our_own_expired_key_still_reads_and_says_so(partner, tmp_path):
    """A message that was encrypted before the key expired is delivered with a warning."""
    key = read_key("old", partner.secret("old"), secret=True, passphrase=PASSPHRASE)
    faked = ("--faked-system-time", "20200601T000000!")
    message = partner.gpg(*faked, "-r", "old", "--encrypt", given=CONTENT).stdout
    with Home(tmp_path, [key]) as home:
        step = Decrypt(home, "old")
        assert through(step, message) == CONTENT
        assert step.warnings == ["the key old expired on 2020-12-31"]
        with pytest.raises(KeyRefused, match="expired on 2020-12-31"):
            Encrypt(home, signer="old")


def damage(home, message, count, rng):
    """Flip a byte in `count` copies and cut `count` copies: nothing is released."""
    for _ in range(count):
        flipped = bytearray(message)
        flipped[rng.randrange(len(message))] ^= 1 << rng.randrange(8)
        refused(Decrypt(home, "ours", verify=["acme"]), bytes(flipped))
        refused(Decrypt(home, "ours", verify=["acme"]), message[: rng.randrange(len(message))])


def test_twenty_flipped_and_twenty_cut_messages_deliver_nothing(home, partner):
    """The plaintext that gpg wrote before it found the damage is never released (B21)."""
    message = partner.gpg("-u", "acme", "-r", "ours", "--compress-algo", "none", "--sign", "--encrypt", given=CONTENT)
    damage(home, message.stdout, 20, random.Random(21))


@pytest.mark.slow
def test_two_hundred_flipped_and_two_hundred_cut_messages_deliver_nothing(home, partner):
    """The long round of the same, with messages that are compressed and with some that are not."""
    rng = random.Random(22)
    for algorithm in ("none", "zlib"):
        message = partner.gpg(
            "-u", "acme", "-r", "ours", "--compress-algo", algorithm, "--sign", "--encrypt", given=CONTENT
        )
        damage(home, message.stdout, 100, rng)


def session_key(partner, message):
    shown = partner.gpg("--show-session-key", "--decrypt", given=message).stderr.decode()
    return bytes.fromhex(re.search(r"session key: '9:([0-9A-F]{64})'", shown)[1])


def ocb_message(partner, content):
    """Return a message in packet 20 as GnuPG 2.3 writes it, made from the session key of one in packet 18."""
    plain = partner.gpg("-r", "ours", "--encrypt", given=b"x").stdout
    size = plain[1]
    assert plain[0] in (0x84, 0xC1)
    key, iv = session_key(partner, plain), bytes(range(15))
    literal = b"b\0\0\0\0\0" + content
    literal = b"\xcb\xff" + len(literal).to_bytes(4, "big") + literal
    head = b"\xd4\x01\x09\x02\x10"
    ocb = AESOCB3(key)

    def nonce(number):
        return iv[:7] + bytes(a ^ b for a, b in zip(iv[7:], number.to_bytes(8, "big"), strict=True))

    chunk = 1 << 22
    assert len(literal) < chunk
    sealed = ocb.encrypt(nonce(0), literal, head + (0).to_bytes(8, "big"))
    final = ocb.encrypt(nonce(1), b"", head + (1).to_bytes(8, "big") + len(literal).to_bytes(8, "big"))
    body = head[1:] + iv + sealed + final
    return plain[: 2 + size] + b"\xd4\xff" + len(body).to_bytes(4, "big") + body


def test_packet_20_is_read_where_gpg_can_and_goodmdc_stands_for_its_tag(home, partner):
    """GnuPG 2.2.21 and later read OCB and answer GOODMDC; a flipped byte is refused."""
    message = ocb_message(partner, CONTENT)
    assert encryption_packet(message) == 20
    assert through(Decrypt(home, "ours"), message) == CONTENT
    for at in (len(message) - 5, len(message) // 2):
        damaged = bytearray(message)
        damaged[at] ^= 1
        refused(Decrypt(home, "ours"), bytes(damaged))
    refused(Decrypt(home, "ours"), message[:-16])


def test_messages_without_integrity_protection_are_refused(home, partner):
    """Packet 9 is never released, although gpg can be told to."""
    plain = partner.gpg("-r", "ours", "--rfc2440", "--cipher-algo", "AES256", "--encrypt", given=CONTENT).stdout
    assert encryption_packet(plain) == 9
    refused(Decrypt(home, "ours"), plain)


@pytest.mark.parametrize("use", ["decrypt", "sign"])
def test_a_wrong_passphrase_ends_soon_and_leaves_no_agent(partner, tmp_path, use):
    """No terminal is asked; the error names no passphrase (B24)."""
    key = read_key("ours", partner.secret("ours"), secret=True, passphrase="wrong-one-9Z")
    assert "wrong-one-9Z" not in repr(key)
    assert "PRIVATE KEY" not in repr(key)
    message = partner.gpg("-r", "ours", "--encrypt", given=CONTENT).stdout
    since = Stopwatch()
    with Home(tmp_path, [key]) as home:
        agent = home._agent.pid
        step = Decrypt(home, "ours") if use == "decrypt" else Encrypt(home, signer="ours")
        # A message that is only signed is readable, and passes before its signature is made; its end fails.
        made = [] if use == "decrypt" else None
        with pytest.raises(WrongPassphrase, match=r"^the passphrase does not open the secret key$"):
            through(step, message, made=made)
        assert not made
    assert since.seconds < 5
    assert not Path(f"/proc/{agent}").exists()
    assert not list(tmp_path.iterdir())


def test_gpg_and_its_agent_die_with_the_process_that_is_killed(partner, tmp_path):
    """After kill -9 in the middle of a message no process is left, and the next start removes the home."""
    (tmp_path / "key.asc").write_text(partner.secret("ours"))
    program = """
import os, signal, sys
from pathlib import Path
from mft_common.transfer.steps.openpgp import Encrypt, Home, read_key
folder = Path(sys.argv[1])
key = read_key("ours", (folder / "key.asc").read_text(), secret=True, passphrase=sys.stdin.readline().rstrip())
home = Home(folder / "private", [key])
step = Encrypt(home, ["ours"], signer="ours")
list(step.feed(bytes(3_000_000)))
print(home._agent.pid, step._program._process.pid, flush=True)
signal.pause()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        process.stdin.write(f"{PASSPHRASE}\n")
        process.stdin.flush()
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert len(pids) == 2
        assert remove_homes(tmp_path / "private") == 0
        os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not any(is_running(pid) for pid in pids))
    wait_until(lambda: remove_homes(tmp_path / "private") == 1)
    assert not list((tmp_path / "private").iterdir())


def fake(tmp_path, text):
    """Write a program that stands for gpg."""
    path = tmp_path / "gpg"
    path.write_text(f"#!{sys.executable}\nimport os, signal, sys\n{text}")
    path.chmod(0o700)
    return str(path)


def test_noise_on_stderr_never_blocks(tmp_path):
    """1 MiB of noise on both stderr and the status pipe while 8 MiB pass (B24)."""
    gpg = fake(
        tmp_path,
        "status = int(sys.argv[2])\n"
        "while block := sys.stdin.buffer.read(65536):\n"
        "    os.write(2, b'noise\\n' * 1365)\n"
        "    os.write(status, b'[GNUPG:] PROGRESS x\\n' * 400)\n"
        "    sys.stdout.buffer.write(block)\n",
    )
    descriptor = os.open(tmp_path, os.O_RDONLY)
    program = Program([gpg], descriptor=descriptor, idle=10)
    data = random.Random(5).randbytes(8 << 20)
    made = [part for start in range(0, len(data), 1 << 20) for part in program.feed(data[start : start + (1 << 20)])]
    made += program.end()
    program.close()
    os.close(descriptor)
    assert b"".join(made) == data
    assert program.code == 0
    assert len(program.found) == 128 * 400


def test_a_gpg_that_ends_with_input_unread_is_no_error_of_the_system(tmp_path):
    """Its exit code and its statuses say what was wrong."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    for reads in (0, 100_000):
        gpg = fake(tmp_path, f"os.read(0, {reads}) if {reads} else None\nos.write(1, b'x')\nsys.exit(3)")
        program = Program([gpg], descriptor=descriptor, idle=10)
        made = [part for _ in range(64) for part in program.feed(bytes(1 << 20))]
        assert program.ended_early
        assert b"".join([*made, *program.end()]) == b"x"
        assert program.code == 3
        program.close()
    os.close(descriptor)


def test_what_gpg_makes_comes_in_blocks_of_at_most_one_mib(home):
    """Small pieces are joined: each costs a write at the destination."""
    step = Encrypt(home, ["acme"])
    blocks = [block for _ in range(8) for block in step.feed(bytes(1 << 20))]
    blocks += step.finish()
    step.close()
    assert max(map(len, blocks)) <= 1 << 20
    assert len(blocks) < 40


def test_a_gpg_that_hangs_is_killed(tmp_path):
    """A time without any movement ends the step; waiting may heal it."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    program = Program([fake(tmp_path, "signal.pause()")], descriptor=descriptor, idle=0.3)
    pid = program._process.pid
    with pytest.raises(Exception, match="did nothing for") as caught:
        list(program.feed(bytes(8 << 20)))
    assert caught.value.heals
    program.close()
    os.close(descriptor)
    assert not is_running(pid)


def test_a_protection_other_than_aes_256_in_packet_18_is_never_sent(home, tmp_path, monkeypatch):
    """A gpg that follows a key's preference for OCB gives nothing to send (B22)."""
    gpg = fake(
        tmp_path,
        "status = int(sys.argv[2])\n"
        "os.write(status, b'[GNUPG:] BEGIN_ENCRYPTION 0 9 2\\n')\n"
        "sys.stdout.buffer.write(sys.stdin.buffer.read())\n"
        "os.write(status, b'[GNUPG:] END_ENCRYPTION\\n')\n",
    )
    monkeypatch.setattr(home, "gpg", gpg)
    refused(Encrypt(home, ["acme"]), CONTENT, OpenPgpError, "OCB")


def test_a_message_that_unpacks_to_more_than_the_limit_is_refused(home, partner):
    """Compressed zeros do not fill the disk."""
    message = partner.gpg("-r", "ours", "--compress-algo", "zlib", "--encrypt", given=bytes(5 << 20)).stdout
    refused(Decrypt(home, "ours", limit=1 << 20), message, match="more than 1048576 bytes")
    assert through(Decrypt(home, "ours", limit=5 << 20), message) == bytes(5 << 20)


def test_a_message_that_unpacks_without_reading_more_is_stopped_at_the_limit(home, partner):
    """64 MiB of zeros fit into one pipe's worth of input, and do not reach the disk."""
    message = partner.gpg("-r", "ours", "--compress-algo", "zlib", "--encrypt", given=bytes(64 << 20)).stdout
    assert len(message) < 1 << 20
    limit = 2 << 20
    step = Decrypt(home, "ours", limit=limit)
    try:
        with pytest.raises(MessageRefused, match=f"more than {limit} bytes"):
            assert [*step.feed(message), *step.finish()] == []
        assert os.fstat(step._plain.fileno()).st_size <= limit + 1
    finally:
        step.close()


# Decrypts a message with a secret key, and prints why it is refused and how many bytes were on the disk then.
DECRYPTS = """
import os, sys
from pathlib import Path
from mft_common.transfer.steps.openpgp import Decrypt, Home, MessageRefused, read_key
folder, secret, message, passphrase = sys.argv[1:]
key = read_key("ours", Path(secret).read_text(), secret=True, passphrase=passphrase)
with Home(Path(folder), [key]) as home:
    step = Decrypt(home, "ours")
    try:
        print(sum(map(len, [*step.feed(Path(message).read_bytes()), *step.finish()])))
    except MessageRefused as error:
        print(error, os.fstat(step._plain.fileno()).st_size >> 20, sep="; ")
    finally:
        step.close()
"""


def test_a_message_that_is_made_to_fill_the_disk_is_refused_and_one_for_which_there_is_room_is_not(
    home, partner, tmp_path
):
    """Bzip2 makes records filled up with blanks, or gigabytes of zeros, a few bytes; half of the room is left."""
    records = b"".join(b"%010d%3990s" % (number, b"") for number in range(20_000))
    message = partner.gpg("-r", "ours", "--compress-algo", "bzip2", "--encrypt", given=records).stdout
    assert len(message) * 1100 < 64 << 20
    assert b"".join(pieces(Decrypt(home, "ours"), message)) == records
    (tmp_path / "message").write_bytes(message)
    (tmp_path / "secret").write_text(partner.secret("ours"))
    files = (tmp_path / "disk", tmp_path / "secret", tmp_path / "message")
    program = [sys.executable, "-c", DECRYPTS, *files, PASSPHRASE]
    ran = run_on_small_disk(program, tmp_path / "disk", mebibytes=100)
    assert ran.returncode == 0, ran.stderr
    reason, kept = ran.stdout.rsplit("; ", 1)
    assert reason == "the message unpacks to more than 1100 times its bytes, and to half of the room on the disk"
    assert 60 <= int(kept) <= 64


def pieces(step, message):
    """Yield what a step makes of a message."""
    with contextlib.closing(step):
        yield from step.feed(message)
        yield from step.finish()


def test_a_full_disk_is_said_and_releases_nothing(home, partner):
    """The output of gpg is kept on the disk of the home; /dev/full is one without room."""
    step = Decrypt(home, "ours")
    step._plain.close()
    with Path("/dev/full").open("wb", 0) as step._plain:
        refused(step, partner.gpg("-r", "ours", "--encrypt", given=CONTENT).stdout, DiskFull, "no room")


def test_a_message_for_another_key_of_the_home_or_for_a_passphrase_is_refused(partner, keys, tmp_path):
    """Gpg itself decrypts with any secret key that it has, and with the passphrase that it was given."""
    other = read_key("other", partner.secret("other"), secret=True, passphrase=PASSPHRASE)
    with Home(tmp_path, [keys["ours"], other]) as home:
        for options in (("-r", "other", "--encrypt"), ("--symmetric",)):
            message = partner.gpg(*options, given=CONTENT).stdout
            refused(Decrypt(home, "ours"), message, match="^the message is not encrypted for our key$")
        message = partner.gpg("-r", "other", "-r", "ours", "--encrypt", given=CONTENT).stdout
        assert through(Decrypt(home, "ours"), message) == CONTENT
        refused(Decrypt(home, "ours"), partner.gpg("-R", "other", "--encrypt", given=CONTENT).stdout)
    # A message that hides whom it is for.
    with Home(tmp_path, [keys["ours"]]) as home:
        message = partner.gpg("-R", "ours", "--encrypt", given=CONTENT).stdout
        assert through(Decrypt(home, "ours"), message) == CONTENT


def fed(step, data):
    """Feed data in blocks until the step raises; return how many bytes it took, and close it."""
    taken = 0
    try:
        for start in range(0, len(data), 65536):
            assert list(step.feed(data[start : start + 65536])) == []
            taken += 65536
    except OpenPgpError as error:
        return taken, error
    finally:
        step.close()
    return taken, None


def test_a_gpg_that_gives_up_ends_the_file_before_the_rest_of_it_is_read(partner, keys, home, tmp_path, monkeypatch):
    """A wrong passphrase does not cost the reading of a large file, nor does a gpg that ends too soon."""
    wrong = read_key("ours", partner.secret("ours"), secret=True, passphrase="wrong-one-9Z")
    message = partner.gpg("-r", "ours", "--compress-algo", "none", "--encrypt", given=bytes(32 << 20)).stdout
    with Home(tmp_path, [wrong]) as private:
        taken, error = fed(Decrypt(private, "ours"), message)
        assert taken < len(message) // 2
        assert isinstance(error, WrongPassphrase)
    monkeypatch.setattr(home, "gpg", fake(tmp_path, "sys.exit(2)"))
    taken, error = fed(Encrypt(home, ["acme"]), message)
    assert taken < len(message) // 2
    assert "exit code 2" in str(error)


def test_homes_of_killed_processes_are_removed_by_the_next_one_and_none_in_use(keys, tmp_path):
    """A folder that another process removes before it is locked is no home."""
    (tmp_path / "openpgp-left").mkdir()
    with Home(tmp_path, [keys["acme"]]) as home:
        assert [folder.name for folder in tmp_path.iterdir()] == [home._folder.name]
        with Home(tmp_path, [keys["other"]]) as second:
            assert {folder.name for folder in tmp_path.iterdir()} == {home._folder.name, second._folder.name}
    stopped = threading.Event()

    def sweep():
        while not stopped.is_set():
            remove_homes(tmp_path)

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        for _ in range(300):
            folder, descriptor = _locked_folder(tmp_path)
            assert folder.is_dir()
            os.close(descriptor)
    finally:
        stopped.set()
        sweeper.join()


def test_passphrases_are_in_no_argument_and_no_environment(home, partner):
    """Other users of the machine see the arguments of every process."""
    step = Encrypt(home, ["acme"], signer="ours")
    list(step.feed(CONTENT))
    for pid in (step._program._process.pid, home._agent.pid):
        for file in ("cmdline", "environ"):
            assert PASSPHRASE.encode() not in Path(f"/proc/{pid}/{file}").read_bytes()
    step.close()
    for file in home._folder.rglob("*"):
        if file.is_file():
            assert PASSPHRASE.encode() not in file.read_bytes()


def test_files_that_hold_no_key_of_the_kind_are_refused(partner):
    """A secret key where a public one is expected would be given away."""
    with pytest.raises(KeyRefused, match="holds a secret key where a public one"):
        read_key("x", partner.secret("acme"), secret=False)
    with pytest.raises(KeyRefused, match="holds a public key where a secret one"):
        read_key("x", partner.public("acme"), secret=True)
    with pytest.raises(KeyRefused, match="holds 0 keys"):
        read_key("x", "hello", secret=False)
    with pytest.raises(KeyRefused, match="holds 2 keys"):
        read_key("x", partner.public("acme") + partner.public("other"), secret=False)


def test_a_user_id_with_line_ends_of_unicode_is_one_line():
    """Gpg escapes control characters alone; U+2028 must not begin a line of a key that was never there."""
    listing = "pub:u:255:22:AA:1700000000:::u:::scESC:\nfpr:::::::::AA:\nuid:u::::1::H::Eve\u2028pub::::::::::0:\n"
    (key,) = parse(listing)
    assert key.user_ids == ("Eve?pub",)
