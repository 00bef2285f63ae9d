"""Run Prometheus on loopback for the tests: it scrapes what a test names, by the rules of a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import requests
import yaml

from tests.servers.processes import free_port, program, wait_until
from tests.servers.programs import Program


class Prometheus:
    """A Prometheus that scrapes every second; `targets` are addresses by the name of their job. A context manager."""

    def __init__(self, folder: Path, targets: Mapping[str, Sequence[str]], rules: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(rules)],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": list(addresses)}]}
                for job, addresses in targets.items()
            ],
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        command = [
            program(["prometheus"], "prometheus"),
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        self.program = Program(command, folder / "prometheus.log")

    def __enter__(self) -> Self:
        self.program.start()
        wait_until(self._ready, within=30, every=0.1, what="a ready Prometheus")
        return self

    def __exit__(self, *_error: object) -> None:
        self.program.kill()

    def query(self, expression: str) -> list[Any]:
        """Return the result of a query at this moment: one entry a series."""
        answer = requests.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=20)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["data"]["result"])

    def rules(self) -> Mapping[str, Any]:
        """Return each alert by its name, with its `health` and its `state`."""
        groups = requests.get(f"{self.url}/api/v1/rules", timeout=20).json()["data"]["groups"]
        return {rule["name"]: rule for group in groups for rule in group["rules"]}

    def _ready(self) -> bool:
        assert self.program.running(), self.program.tail()
        try:
            return requests.get(f"{self.url}/-/ready", timeout=5).status_code == 200
        except requests.RequestException:
            return False
