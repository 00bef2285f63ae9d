"""How fast does the store take and give files, beside copyparty and nginx? Large and small ones, in one run.

The hub is one process group, as `crossdock up` runs it: authentication, SHA-256, fsync, database and events included.
copyparty (from PyPI, in a throw-away environment of its own) and nginx run as they come; neither fsyncs. All write
below one folder, take turns, and medians are compared.
"""

import argparse
import contextlib
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import requests

import measure

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the tests' servers are not installed anywhere

from tests.servers.hub import OneMachine, answers
from tests.servers.processes import free_port, wait_until
from tests.servers.programs import Program

HERE = Path(__file__).resolve().parent
PEER = HERE.parent / "build" / "copyparty"
SMALL = 4096
NGINX = """
{user}daemon off; worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/nginx-error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; keepalive_requests 1000000; root {folder}/peer;
  client_body_temp_path {folder}/n-b; proxy_temp_path {folder}/n-p; fastcgi_temp_path {folder}/n-f;
  uwsgi_temp_path {folder}/n-u; scgi_temp_path {folder}/n-s;
  server {{ listen 127.0.0.1:{port}; }}
}}
"""


def peer_python():
    """Return the interpreter of an environment with copyparty in it; made where it is missing."""
    python = PEER / "bin" / "python"
    if not (PEER / "bin" / "copyparty").exists():
        venv.create(PEER, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "copyparty"], check=True)
    return python


class Hub:
    """The demo hub; `up` and `down` are what curl is told, `put` and `get` what wrk is told."""

    name = "crossdock"

    def __init__(self, folder, processes):
        self.machine = OneMachine(folder, "--workers", str(processes), env={"MFT_LOG_LEVEL": "warning"}).start()
        self.url = self.machine.url
        login = {"username": "part1", "password": "partner1"}
        answer = requests.post(f"{self.url}/2.0/login/basic", data=login, timeout=20)
        self.cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in answer.cookies)
        self.put = ("PUT", "/2.0/files/in/%d", "file", self.cookie)
        self.get = ("/2.0/files/out/small%d", self.cookie)
        self.pids = [self.machine.program.pid]

    def up(self, source):
        return ["-X", "PUT", "-F", f"file=@{source}", f"{self.url}/2.0/files/in/body.bin"]

    def down(self):
        return [f"{self.url}/2.0/files/in/body.bin"]

    def seed(self):
        for number in range(64):
            files = {"file": ("small", os.urandom(SMALL))}
            url = f"{self.url}/2.0/files/out/small{number}"
            assert requests.put(url, files=files, headers={"Cookie": self.cookie}, timeout=20).status_code == 201

    def stop(self):
        self.machine.kill()


class Copyparty:
    """copyparty over the folder `peer`, which everybody may read and write."""

    name = "copyparty"
    put = ("POST", "/", "f", "none=1", "bput")
    get = ("/small%d", "none=1")

    def __init__(self, folder, processes):
        self.folder, self.port = folder / "peer", free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [peer_python(), "-m", "copyparty", "-q", "-i", "127.0.0.1", "-p", self.port, "-j", processes]
        command += ["-v", f"{self.folder}::rwmd", "--no-thumb"]
        env = {**os.environ, "XDG_CONFIG_HOME": str(folder / "config"), "PRTY_NO_TLS": "1"}
        self.program = Program(command, folder / "copyparty.log", env=env).start()
        wait_until(lambda: answers(f"{self.url}/"), within=60, what="copyparty")

    def up(self, source):
        return ["-F", "act=bput", "-F", f"f=@{source}", f"{self.url}/"]

    def down(self):
        return [f"{self.url}/body.bin"]

    def seed(self):
        for number in range(64):
            (self.folder / f"small{number}").write_bytes(os.urandom(SMALL))

    def tidy(self):
        """Remove large files alone: a file system that has lost thousands of names is slow to make new ones."""
        for path in self.folder.iterdir():
            if path.is_file() and path.stat().st_size > SMALL and not path.name.startswith("reference"):
                path.unlink()

    def stop(self):
        self.program.kill()


class Nginx:
    """nginx over the same folder."""

    name = "nginx"
    get = Copyparty.get

    def __init__(self, folder):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        # Started by root it would become somebody who may not read our folder.
        user = "" if os.geteuid() else "user root; "
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=self.port, user=user))
        command = ["/usr/sbin/nginx", "-c", folder / "nginx.conf", "-p", folder]
        self.program = Program(command, folder / "nginx.log").start()
        wait_until(lambda: answers(f"{self.url}/small0"), what="nginx")

    def down(self):
        return [f"{self.url}/reference.bin"]

    def stop(self):
        self.program.stop()


def curl(arguments, size, cookie="none=1"):
    """Return the MB/s of a body of `size` bytes."""
    command = ["curl", "-sSf", "-o", "/dev/null", "-w", "%{time_total}", "-H", f"Cookie: {cookie}", "-H", "Expect:"]
    out = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True).stdout
    return size / 1e6 / float(out)


def wrk(url, script, seconds, *arguments):
    """Return the answers a second to 16 connections."""
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "-s", HERE / script, url, "--", *arguments]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in out, out
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])


def written(path, mib):
    """Fill a file with bytes that do not repeat within a MiB."""
    block = os.urandom(1 << 20)
    with path.open("wb") as file:
        for _ in range(mib):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return path


def memory(hub, folder, mib):
    """Return how many MB a process of the hub grows at most while a body goes in, and out again."""
    source = written(folder / "huge.bin", mib)
    size = source.stat().st_size
    curl(hub.up(folder / "peer" / "small0"), SMALL, hub.cookie)
    with measure.PeakMemory(*hub.pids) as peak:
        curl(hub.up(source), size, hub.cookie)
        curl(hub.down(), size, hub.cookie)
    source.unlink()
    return peak.growth


def record_behind(hub):
    """Return how many seconds the record of transfers takes, after a load, to hold every event of the store."""
    state = hub.machine.data / "state"
    with (
        contextlib.closing(sqlite3.connect(state / "filestore-svc" / "filestore.db")) as store,
        contextlib.closing(sqlite3.connect(state / "mqmft-svc" / "mqmft.db")) as record,
    ):
        began = time.monotonic()

        def caught_up():
            last = store.execute("SELECT max(position) FROM outbox").fetchone()[0]
            cursor = "SELECT position FROM inbox_cursor WHERE source = 'filestore-svc'"
            # Rows for other services alone may follow, which move no cursor of this one.
            rest = "SELECT count(*) FROM outbox WHERE position > ? AND (type LIKE 'transfer.%' OR type LIKE '%load.%')"
            read = (record.execute(cursor).fetchone() or (0,))[0]
            return read >= last or not store.execute(rest, (read,)).fetchone()[0]

        wait_until(caught_up, within=120, what="the record of transfers")
        return time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--huge-mib", type=int, default=2048)
    options = parser.parse_args()
    measure.need("wrk", "nginx", "curl")
    peer_python()
    measure.head("filestore-svc beside copyparty and nginx", "gunicorn", "flask", "sqlalchemy")
    peer = measure.version_of([PEER / "bin" / "pip", "--disable-pip-version-check", "freeze", "--all"])
    nginx = measure.version_of(["/usr/sbin/nginx", "-v"])
    print(f"peers     {peer} (no fsync), {nginx}; {options.processes} processes each")
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name, contextlib.ExitStack() as stack:
        run(Path(name), options, stack)


def run(folder, options, stack):
    (folder / "peer").mkdir()
    source = written(folder / "peer" / "reference.bin", options.mib)
    size = source.stat().st_size
    hub, party = Hub(folder, options.processes), Copyparty(folder, options.processes)
    stack.callback(party.stop)
    stack.callback(hub.stop)
    for each in (hub, party):
        each.seed()
    nginx = Nginx(folder)
    stack.callback(nginx.stop)
    rows = {"up": {}, "down": {}, "gets": {}, "puts": {}, "late": {}}

    def note(row, who, value):
        rows[row].setdefault(who.name, []).append(value)

    for number in range(options.rounds):
        for who in (hub, party):
            note("up", who, curl(who.up(source), size, getattr(who, "cookie", "none=1")))
            os.sync()
        for who in (hub, nginx, party):
            down = [f"{party.url}/reference.bin"] if who is party else who.down()
            note("down", who, curl(down, size, getattr(who, "cookie", "none=1")))
        for who in (hub, party, nginx):
            note("gets", who, wrk(who.url, "wrk_get.lua", options.seconds, *who.get))
            if who is hub:
                note("late", who, record_behind(hub))
        for who in (hub, party):
            told = (*who.put[:4], f"r{number}-", *who.put[4:])
            note("puts", who, wrk(who.url, "wrk_upload.lua", options.seconds, *told))
            os.sync()
        party.tidy()
    report(rows, memory(hub, folder, options.huge_mib))


def report(rows, growth):
    """Print medians, ratios and the verdict."""
    middle = {row: {who: measure.median(values) for who, values in found.items()} for row, found in rows.items()}
    titles = {
        "up": "multipart upload, MB/s",
        "down": "download, MB/s",
        "gets": "small GETs (4 KiB), 1/s",
        "puts": "small uploads (4 KiB, 16 clients), 1/s",
    }
    print(f"{'':40}{'crossdock':>12}{'copyparty':>12}{'nginx':>12}")
    for row, title in titles.items():
        found = middle[row]
        figures = [f"{found[who]:.0f}" if who in found else "" for who in ("crossdock", "copyparty", "nginx")]
        print(f"{title:40}" + "".join(f"{figure:>12}" for figure in figures))

    print(f"after the small GETs the record of transfers was up to date in {middle['late']['crossdock']:.1f} s")

    def ratio(row, peer):
        return middle[row]["crossdock"] / middle[row][peer]

    verdict = measure.Verdict()
    verdict.goal("upload over copyparty's, SHA-256 and fsync done", ratio("up", "copyparty"), at_least=0.9)
    verdict.goal("download over nginx's", ratio("down", "nginx"), at_least=0.9)
    verdict.goal("small GETs over copyparty's", ratio("gets", "copyparty"), at_least=0.6)
    verdict.goal("small uploads over copyparty's, each of ours fsynced", ratio("puts", "copyparty"), at_least=0.6)
    verdict.goal("memory: the most that one process grew for a huge body, MB", growth, at_most=30)
    verdict.end()


if __name__ == "__main__":
    main()
