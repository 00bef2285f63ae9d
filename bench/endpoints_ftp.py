"""Measure transfers over FTPS beside curl, with vsftpd; run by endpoints.py, or by itself: `endpoints_ftp.py [MIB]`."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import measure
from single_files import fetch, make_large, medians, ratio, send, timed, timed_with_cpu, upload

sys.path.insert(0, str(Path(__file__).parent.parent))

from crossdock import certificate
from mft_common.endpoints.ftp import open_ftp
from mft_common.endpoints.names import Patterns
from mft_common.endpoints.targets import Target
from mft_common.process import memory
from tests.servers.vsftpd import Vsftpd

MIB = 1024
ROUNDS = 3
SMALL = 300
# curl waits half a second after each upload for vsftpd's closing alert of TLS.
SMALL_OF_CURL = 30
SMALL_SIZE = 10_000
GOAL = 0.9


def run(folder, *, large=False, mib=MIB):
    """Print the figures of one large file and of many small ones, both ways."""
    del large
    # As the processes that move files do.
    memory.keep_freed_blocks()
    measure.need("vsftpd", "curl")
    for name in ("far", "from", "to"):
        (folder / name).mkdir()
    tls = certificate.ensure(folder / "tls")
    print(f"peer      {measure.version_of(['curl', '--version'])}")
    # With `require_ssl_reuse`, curl is refused now and then under TLS 1.3.
    with Vsftpd(folder / "vsftpd", folder / "far", tls=tls, reuse=False) as server:
        login = {"user": "anonymous", "password": server.password}
        target = Target(scheme="ftps", host="localhost", port=server.port, **login, tls="explicit", ca=str(tls[0]))
        curl = ["curl", "-sS", "--ssl-reqd", "--cacert", str(tls[0]), "--user", f"anonymous:{server.password}"]
        url = f"ftp://localhost:{server.port}/"
        one_large_file(folder, curl, url, target, mib)
        many_small_files(folder, curl, url, target)


def compared(title, works):
    """Run the works in turn and print their medians, and curl's as a ratio of ours."""
    times = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            times[name].append(timed_with_cpu(work))
    figures = "; ".join(f"{name} {medians(found)}" for name, found in times.items())
    print(f"{title:<12}{figures}; {ratio(times['curl'], times['ours']):.2f} times curl (goal {GOAL})")


def one_large_file(folder, curl, url, target, mib):
    source = folder / "from/large"
    make_large(source, mib)

    def ours_up(verify):
        with open_ftp(target) as endpoint:
            upload(endpoint, source, verify)

    def in_one_thread():
        with open_ftp(target) as endpoint:
            send(endpoint, source)

    def ours_down():
        with open_ftp(target) as endpoint:
            fetch(endpoint, endpoint.stat("large"), folder / "to")

    compared(
        f"{mib} MiB up",
        {
            "curl": lambda: subprocess.run([*curl, "-T", source, url], check=True),
            "ours": lambda: ours_up("size"),
            "ours, digested by the thread that sends": in_one_thread,
            "ours, read back": lambda: ours_up("sha256"),
        },
    )
    compared(
        "down",
        {
            "curl": lambda: subprocess.run([*curl, "-o", folder / "to/large", f"{url}large"], check=True),
            "ours": ours_down,
        },
    )


def many_small_files(folder, curl, url, target):
    names = [f"{number:03d}.small" for number in range(SMALL)]
    for name in names:
        (folder / "from" / name).write_bytes(os.urandom(SMALL_SIZE))

    def ours_up():
        with open_ftp(target) as endpoint:
            for name in names:
                send(endpoint, folder / "from" / name)

    def ours_down():
        with open_ftp(target) as endpoint:
            for entry in list(endpoint.list(Patterns(["*.small"]))):
                fetch(endpoint, entry, folder / "to")

    def peer_up():
        listed = ",".join(str(folder / "from" / name) for name in names[:SMALL_OF_CURL])
        subprocess.run([*curl, "-T", f"{{{listed}}}", url], check=True)

    def peer_down():
        last = f"{SMALL_OF_CURL - 1:03d}"
        urls = f"{url}[000-{last}].small"
        subprocess.run([*curl, "--output-dir", folder / "to", "--remote-name-all", urls], check=True)

    for way, peer, ours in (("up", peer_up, ours_up), ("down", peer_down, ours_down)):
        rates = SMALL_OF_CURL / timed(peer), SMALL / timed(ours)
        print(
            f"small {way:<6}curl {rates[0]:.0f} files/s, ours {rates[1]:.0f}: {rates[1] / rates[0]:.2f} (goal {GOAL})"
        )


if __name__ == "__main__":
    measure.head("FTPS")
    with tempfile.TemporaryDirectory(prefix="endpoints-") as made:
        run(Path(made), mib=int(sys.argv[1]) if len(sys.argv) > 1 else MIB)
