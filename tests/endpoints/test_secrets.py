"""Passwords and keys of endpoints stand in no log, no output and no process's arguments or environment."""

import dataclasses
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

from mft_common.endpoints.errors import TransferError
from mft_common.endpoints.names import Patterns
from mft_common.endpoints.registry import Endpoints
from mft_common.endpoints.section import Targets
from mft_common.process.descendants import with_descendants
from mft_common.transfer import Mover
from tests.endpoints.test_resume import local
from tests.servers.made_secrets import secret, traces
from tests.servers.secret_search import found_in_processes

__all__ = ["local"]
SECRETS = ("password", "key", "passphrase", "key_id", "secret")
TOKEN = "00000000000000D1"
ROOT = Path(__file__).parents[2]


def target_of(far):
    return far.endpoints().targets.named["far"]


def wrong(target):
    """Return a target whose password or secret the far side refuses; None where it has none to refuse."""
    for name in ("password", "secret"):
        if getattr(target, name):
            return dataclasses.replace(target, **{name: secret("a wrong password")})
    return None


def section_of(target, folder):
    """Return the section of crossdock.yaml for a target, its secrets in files."""
    user = f"{target.user}@" if target.user else ""
    section = {"url": target.shown.replace("://", f"://{user}", 1)}
    for name in ("host_key", "endpoint", "ca", "tls"):
        if value := getattr(target, name):
            section[name] = value
    for name in SECRETS:
        if value := getattr(target, name):
            (folder / f"{target.scheme}-{name}").write_text(value)
            section[name] = {"file": f"{target.scheme}-{name}"}
    return section


class Sampled:
    """Reads arguments and environment of a program and of all that it starts, again and again while it runs."""

    def __init__(self, command, folder):
        self.found, self.samples = set(), 0
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        thread = threading.Thread(target=self._sample)
        thread.start()
        self.output, _ = self.process.communicate(timeout=60)
        thread.join()

    def _sample(self):
        while self.process.poll() is None:
            self.found.update(found_in_processes(with_descendants([self.process.pid])))
            self.samples += 1


def test_no_library_writes_a_secret_into_the_log_at_its_most_talkative(far, local, caplog):
    """With all loggers at their lowest level: files there and back, a listing, a missing file, a wrong password."""
    caplog.set_level(logging.DEBUG)
    path, here = local
    (path / "f").write_bytes(b"content" * 1000)
    with far.open() as endpoint:
        Mover(token=TOKEN).move(here, here.stat("f"), endpoint, "g")
        Mover(token=TOKEN).move(endpoint, endpoint.stat("g"), here, "h")
        if endpoint.features.listing:
            assert [entry.name for entry in endpoint.list(Patterns(["*"]))] == ["g"]
        with pytest.raises(TransferError) as caught:
            endpoint.stat("missing")
    refused = wrong(target_of(far))
    if refused is not None and far.kind != "s3":
        with (
            pytest.raises(TransferError) as caught,
            Endpoints(Targets({"far": refused})).open("endpoint:far") as opened,
        ):
            opened.stat("g")
    assert traces(f"{caught.value!r} {caught.value} {target_of(far)!r}".encode()) == []
    assert traces(caplog.text.encode()) == []


def test_no_command_shows_a_secret(far, tmp_path):
    """`endpoint check` and `copy` with secrets from files: neither their output nor any process of theirs has them."""
    target = target_of(far)
    if target.scheme in ("file", "filestore"):
        return
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "f").write_bytes(b"content")
    sections = {"far": section_of(target, tmp_path)}
    if (refused := wrong(target)) is not None:
        (tmp_path / "wrong").mkdir()
        section = section_of(refused, tmp_path / "wrong")
        files = {name: {"file": f"wrong/{value['file']}"} for name, value in section.items() if isinstance(value, dict)}
        sections["wrong"] = {**section, **files}
    (tmp_path / "crossdock.yaml").write_text(yaml.safe_dump({"endpoints": sections}))
    crossdock = [sys.executable, "-m", "crossdock"]
    runs = [
        Sampled([*crossdock, "copy", "from", "endpoint:far"], tmp_path),
        Sampled([*crossdock, "endpoint", "check", "far"], tmp_path),
    ]
    if "wrong" in sections:
        runs.append(Sampled([*crossdock, "copy", "--retries", "0", "from", "endpoint:wrong"], tmp_path))
    for run in runs:
        assert run.samples > 0
        assert run.found == set()
        assert traces(run.output.encode()) == []
    assert [run.process.returncode for run in runs[:2]] == [0, 0], [run.output for run in runs]
    assert far.read_outside("f") == b"content", [run.output for run in runs]
