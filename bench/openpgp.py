"""Measure OpenPGP steps beside gpg alone: `python bench/openpgp.py [MiB]`, 512 without one.

Each pass of ours and of gpg reads the same file and writes a file, in turns; medians of three. `ratio` is gpg's time
divided by ours: 1 is as fast as gpg. The memory is this process's own growth, without gpg's.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import measure
from mft_common.process import memory as process_memory
from mft_common.transfer.steps.openpgp import Decrypt, Encrypt, Home, make_key, read_key
from mft_common.transfer.steps.private_files import write_all

ROUNDS = 3
PASSPHRASE = "of the bench alone"


def seconds(work):
    before = time.monotonic()
    work()
    return time.monotonic() - before


def through(step, source, target):
    """Run a step over a file, and write what it makes."""
    try:
        with source.open("rb", 0) as reader, target.open("wb", 0) as writer:
            while block := reader.read(1 << 20):
                for made in step.feed(block):
                    write_all(writer, made)
            for made in step.finish():
                write_all(writer, made)
    finally:
        step.close()


def gpg(home, arguments, source, target):
    """Run gpg alone with the same options over a file."""
    command = ["gpg", "--homedir", home, "--batch", "--quiet", "--no-tty", "--yes", "--trust-model", "always"]
    command += ["--pinentry-mode", "loopback", "--passphrase", PASSPHRASE, *arguments]
    with source.open("rb") as reader, target.open("wb") as writer:
        subprocess.run(command, stdin=reader, stdout=writer, stderr=subprocess.DEVNULL, check=True)


def make_encrypt(home):
    return Encrypt(home, ["bench"], signer="bench")


def make_decrypt(home):
    return Decrypt(home, "bench", verify=["bench"])


def main():
    measure.need("gpg", "gpg-agent")
    # As each process does that moves files.
    process_memory.keep_freed_blocks()
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 512
    measure.head("OpenPGP through gpg")
    print(f"gpg       {measure.version_of(['gpg', '--version'])}")
    with tempfile.TemporaryDirectory(prefix="bench-pgp-") as made:
        folder = Path(made)
        plain, message, target = folder / "plain", folder / "message", folder / "target"
        with plain.open("wb") as file:
            for _ in range(size):
                file.write(os.urandom(1 << 20))
        secret, _ = make_key(folder, "Bench <bench@example.org>", PASSPHRASE, algorithm="rsa3072", years=1)
        key = read_key("bench", secret, secret=True, passphrase=PASSPHRASE)
        theirs = folder / "theirs"
        theirs.mkdir(mode=0o700)
        subprocess.run(
            ["gpg", "--homedir", theirs, "--batch", "--quiet", "--import"], input=secret.encode(), check=True
        )
        sign = [
            "--sign",
            "--encrypt",
            "-r",
            key.listing.fingerprint,
            "--compress-algo",
            "none",
            "--cipher-algo",
            "AES256",
        ]
        sign += ["--digest-algo", "SHA512"]
        try:
            with Home(folder / "private", [key]) as home, measure.PeakMemory(os.getpid()) as memory:
                times = {"encrypt and sign": ([], []), "decrypt and verify": ([], [])}
                for number in range(ROUNDS):
                    turns = [
                        ("encrypt and sign", 1, lambda: gpg(theirs, sign, plain, target)),
                        ("encrypt and sign", 0, lambda: through(make_encrypt(home), plain, message)),
                        ("decrypt and verify", 1, lambda: gpg(theirs, ["--decrypt"], message, target)),
                        ("decrypt and verify", 0, lambda: through(make_decrypt(home), message, target)),
                    ]
                    for place in (0, 1, 2, 3) if number % 2 == 0 else (1, 0, 3, 2):
                        name, side, work = turns[place]
                        times[name][side].append(seconds(work))
        finally:
            subprocess.run(["gpgconf", "--homedir", theirs, "--kill", "all"], check=False)
    verdict = measure.Verdict()
    for name, (ours, alone) in times.items():
        mine, other = measure.median(ours), measure.median(alone)
        print(f"{name:20} {mine:6.2f} s, gpg alone {other:6.2f} s")
        verdict.goal(f"{name}, times gpg alone", other / mine, at_least=0.9)
    verdict.goal("memory of this process, MB more at the peak", memory.growth, at_most=32)
    verdict.end()


main()
