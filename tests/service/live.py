"""A running service for tests: the API and workers as real processes on a real database."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from assay import Client
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(sys.executable)


class Live:
    """Starts processes with the same settings; `close` kills them all."""

    def __init__(self, url: str, data_dir: Path, **settings: str) -> None:
        self.port = _free_port()
        self.env = os.environ | {
            "ASSAY_DATABASE_URL": url,
            "ASSAY_DATA_DIR": str(data_dir),
            "ASSAY_PORT": str(self.port),
            "ASSAY_LOG_LEVEL": "WARNING",
            "ASSAY_TRACKING": "",  # its packages take seconds to import
            **{f"ASSAY_{name.upper()}": value for name, value in settings.items()},
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    @property
    def base(self) -> str:
        """The API's address."""
        return f"http://127.0.0.1:{self.port}"

    def api(self) -> subprocess.Popen[bytes]:
        """Start the API and wait until it is ready."""
        started = self._start("service.cli", "api")
        until(self._answers, 90)
        return started

    def worker(
        self, queues: str = "now,score", handlers: str = "", python: Path = PYTHON, **settings: str
    ) -> subprocess.Popen[bytes]:
        """Start a worker; `handlers` replaces the service's own table, `settings` are its own."""
        table = [f"--handlers={handlers}"] if handlers else []
        arguments = (f"--queues={queues}", *table)
        return self._start("service.jobs.worker", *arguments, python=python, **settings)

    def client(self) -> Client:
        """A client of the API; close it."""
        return Client(self.base)

    def counter(self, name: str, **labels: str) -> float:
        """The sum of one of `/metrics`' counters over the labels not given."""
        total = 0.0
        for line in httpx.get(f"{self.base}/metrics").text.splitlines():
            mine = line.startswith((f"{name}{{", f"{name} "))
            if mine and all(f'{key}="{value}"' in line for key, value in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def close(self) -> None:
        """Kill every process and wait for its end."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()

    def _start(
        self, module: str, *arguments: str, python: Path = PYTHON, **settings: str
    ) -> subprocess.Popen[bytes]:
        command = [str(python), "-m", module, *arguments]
        own = {f"ASSAY_{name.upper()}": value for name, value in settings.items()}
        process = subprocess.Popen(command, cwd=ROOT, env=self.env | own)
        self.processes.append(process)
        return process

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.base}/readyz").status_code == 200
        except httpx.TransportError:
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
