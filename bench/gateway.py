"""How fast is the gateway beside nginx? Small authenticated calls and 1 GiB bodies, in one run.

(a) the hub in one process group, (b) the gateway over HTTP to services of their own, (c) nginx in front of those same
services. Each shape runs alone while it is measured, the three in turn, and medians are compared.
"""

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests

import measure
from mft_common.identity import HEADER, Identity, Signer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the tests' servers are not installed anywhere

from tests.servers.hub import BIN, DEMO, UPSTREAMS, OneMachine, answers, clean_environment
from tests.servers.processes import free_port, wait_until
from tests.servers.programs import Program

KEY = "a key for this bench alone"
GIB = 1 << 30
SMALL = "/ibmmq/rest/v2/login"
NGINX = """
daemon off; worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/nginx-error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_max_body_size 0; keepalive_requests 1000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
  proxy_request_buffering off; proxy_max_temp_file_size 0;
  proxy_buffer_size 64k; proxy_buffers 16 128k; proxy_busy_buffers_size 256k;
  upstream mqmft {{ server 127.0.0.1:{mqmft}; keepalive 64; keepalive_requests 1000000; }}
  upstream filestore {{ server 127.0.0.1:{filestore}; keepalive 64; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port};
    location /ibmmq/ {{ proxy_pass http://mqmft; proxy_set_header X-Crossdock-Identity "{mq_identity}"; }}
    location /2.0/ {{ proxy_pass http://filestore; proxy_set_header X-Crossdock-Identity "{file_identity}"; }}
  }}
}}
"""


class Services:
    """Gateway, mqmft-svc and filestore-svc as programs of their own: shape (b), and what (c) stands before."""

    def __init__(self, folder, processes):
        self.folder = folder
        self.port, internal = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.ports = {package: free_port() for package in UPSTREAMS.values()}
        env = {
            "MFT_DATA": folder / "data",
            "MFT_DEMO": 1,
            "MFT_CONFIG": DEMO,
            "MFT_INTERNAL_KEYS": KEY,
            "MFT_LOG_LEVEL": "warning",
            "MFT_WEB_PROCESSES": processes,
            "MFT_GATEWAY_URL": f"http://127.0.0.1:{internal}",
            "GATEWAY_INTERNAL_PORT": internal,
            "MFT_FILESTORE_URL": f"http://127.0.0.1:{self.ports['filestore_svc']}",
            **{
                f"{name}_DATABASE_URL": f"sqlite:///{folder}/{name.lower()}.db"
                for name in ("GATEWAY", "FILESTORE", "DIPLOMAT", "MQMFT", "SERTAINTY")
            },
            **{name: f"http://127.0.0.1:{self.ports[package]}" for name, package in UPSTREAMS.items()},
        }
        self.programs = []
        for package, port in {
            "gateway": self.port,
            "mqmft_svc": self.ports["mqmft_svc"],
            "filestore_svc": self.ports["filestore_svc"],
        }.items():
            conf = "gateway.gunicorn_conf" if package == "gateway" else "mft_common.process.gunicorn_conf"
            figures = folder / f"{package}.figures"
            figures.mkdir()
            self.programs.append(
                Program(
                    [BIN / "gunicorn", "-c", f"python:{conf}", f"{package}.app:create_app()"],
                    folder / f"{package}.log",
                    env=clean_environment(**env, MFT_LISTEN=f"127.0.0.1:{port}", PROMETHEUS_MULTIPROC_DIR=figures),
                ).start()
            )

    def wait(self):
        for port in (self.port, self.ports["mqmft_svc"], self.ports["filestore_svc"]):
            wait_until(lambda p=port: answers(f"http://127.0.0.1:{p}/readyz"), within=60, what=f"port {port}")

    def pids(self):
        return [program.pid for program in self.programs]

    def kill(self):
        for program in self.programs:
            program.kill()


class Nginx:
    """nginx in front of the services; the identity that it sends them is signed anew at each start."""

    def __init__(self, folder, services):
        self.folder, self.services, self.program = folder, services, None
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self):
        signer = Signer([KEY])
        common = {"request_id": "bench", "address": "127.0.0.1", "base_url": self.url}
        mq = Identity(
            **common,
            account="mftadmin",
            grant={"roles": ["MFTWebAdmin"], "topics": []},
            mechanism="token",
            session="bench",
        )
        part = Identity(**common, account="part1", grant={"contract": "std"}, mechanism="form", session="bench")
        conf = self.folder / "nginx.conf"
        conf.write_text(
            NGINX.format(
                folder=self.folder,
                port=self.port,
                mqmft=self.services.ports["mqmft_svc"],
                filestore=self.services.ports["filestore_svc"],
                mq_identity=signer.dumps(mq, "mqmft-svc"),
                file_identity=signer.dumps(part, "filestore-svc"),
            )
        )
        program = ["/usr/sbin/nginx", "-c", conf, "-p", self.folder]
        self.program = Program(program, self.folder / "nginx.log").start()
        wait_until(lambda: answers(f"{self.url}{SMALL}"), what=f"nginx ({HEADER})")

    def stop(self):
        self.program.stop()


def log_in(url):
    """Return the cookies of both protocols, as one Cookie header each."""
    mq = requests.post(f"{url}/ibmmq/rest/v2/login", json={"username": "mftadmin", "password": "mftadmin"}, timeout=20)
    assert mq.status_code == 204, mq.text
    part = requests.post(f"{url}/2.0/login/basic", data={"username": "part1", "password": "partner1"}, timeout=20)
    assert part.status_code == 200, part.text
    return tuple("; ".join(f"{c.name}={c.value}" for c in answer.cookies) for answer in (mq, part))


def small(url, cookie, seconds):
    """Return requests per second and p99 in ms of the smallest authenticated call, 16 connections."""
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "--latency", "-H", f"Cookie: {cookie}", f"{url}{SMALL}"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in out, out
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", out).groups()
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]), float(number) * {"us": 0.001, "ms": 1, "s": 1000}[
        unit
    ]


def body(url, cookie, source, *, upload):
    """Return the MB/s of a body of 1 GiB."""
    command = [
        "curl",
        "-sS",
        "-f",
        "-o",
        "/dev/null",
        "-w",
        "%{time_total}",
        "-H",
        f"Cookie: {cookie}",
        "-H",
        "Expect:",
    ]
    command += ["-X", "PUT", "-F", f"file=@{source}"] if upload else []
    out = subprocess.run([*command, f"{url}/2.0/files/in/body.bin"], capture_output=True, text=True, check=True).stdout
    return source.stat().st_size / 1e6 / float(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--mib", type=int, default=1024)
    options = parser.parse_args()
    measure.need("wrk", "nginx", "curl")
    measure.head("gateway: one process group, gateway over HTTP, nginx", "gunicorn", "flask", "sqlalchemy")
    print(
        f"peer  {measure.version_of(['/usr/sbin/nginx', '-v'])}; wrk -c16, curl; {options.processes} web processes each"
    )
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name, contextlib.ExitStack() as stack:
        run(Path(name), options, stack)


def run(folder, options, stack):
    source = folder / "body.bin"
    block = os.urandom(1 << 20)
    with source.open("wb") as file:
        for _ in range(options.mib):
            file.write(block)
    (folder / "one").mkdir()
    (folder / "many").mkdir()
    hub = OneMachine(folder / "one", "--workers", str(options.processes), env={"MFT_LOG_LEVEL": "warning"})
    stack.callback(hub.kill)
    hub.start()
    services = Services(folder / "many", options.processes)
    stack.callback(services.kill)
    services.wait()
    nginx = Nginx(folder, services)
    cookies = {"a": log_in(hub.url), "b": log_in(services.url), "c": ("none=1", "none=1")}
    urls = {"a": hub.url, "b": services.url, "c": nginx.url}
    names = {"a": "one process group", "b": "gateway over HTTP", "c": "nginx"}
    figures = {shape: {"rps": [], "p99": [], "up": [], "down": []} for shape in urls}
    growth = {"a": 0.0, "b": 0.0}
    for round_number in range(options.rounds):
        for shape, url in urls.items():
            if shape == "c":
                nginx.start()
            mq, part = cookies[shape]
            rps, p99 = small(url, mq, options.seconds)
            pids = {"a": [hub.program.pid], "b": services.pids(), "c": []}[shape]
            with measure.PeakMemory(*pids) as memory:
                up = body(url, part, source, upload=True)
                down = body(url, part, source, upload=False)
            if shape in growth and round_number:
                growth[shape] = max(growth[shape], memory.growth)
            for key, value in {"rps": rps, "p99": p99, "up": up, "down": down}.items():
                figures[shape][key].append(value)
            if shape == "c":
                nginx.stop()
    print(f"{'':22}{'requests/s':>12}{'p99 ms':>10}{'up MB/s':>10}{'down MB/s':>11}")
    middle = {shape: {key: measure.median(values) for key, values in row.items()} for shape, row in figures.items()}
    for shape, row in middle.items():
        print(f"({shape}) {names[shape]:18}{row['rps']:12.0f}{row['p99']:10.2f}{row['up']:10.0f}{row['down']:11.0f}")
    verdict = measure.Verdict()
    a, b, c = middle["a"], middle["b"], middle["c"]
    verdict.goal("small calls, (a) over (c)", a["rps"] / c["rps"], at_least=1.2)
    verdict.goal("small calls, (b) over (c)", b["rps"] / c["rps"], at_least=0.7)
    verdict.goal("upload, (b) over (c)", b["up"] / c["up"], at_least=0.8)
    verdict.goal("download, (b) over (c)", b["down"] / c["down"], at_least=0.8)
    verdict.goal("memory: the most that one process grew, MB, (a)", growth["a"], at_most=20)
    verdict.goal("memory: the most that one process grew, MB, (b)", growth["b"], at_most=20)
    verdict.end()


if __name__ == "__main__":
    began = time.monotonic()
    try:
        main()
    finally:
        print(f"took      {time.monotonic() - began:.0f} s", file=sys.stderr)
