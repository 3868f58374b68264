"""A running service for tests: the API and workers as real processes on a real database."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from assay import Client

ROOT = Path(__file__).resolve().parents[2]


class Live:
    """Starts processes with the same settings; `close` kills them all."""

    def __init__(self, url: str, data_dir: Path, **settings: str) -> None:
        self.port = _free_port()
        self.env = os.environ | {
            "ASSAY_DATABASE_URL": url,
            "ASSAY_DATA_DIR": str(data_dir),
            "ASSAY_PORT": str(self.port),
            "ASSAY_LOG_LEVEL": "WARNING",
            "OMP_NUM_THREADS": "1",
            **{f"ASSAY_{name.upper()}": value for name, value in settings.items()},
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def api(self) -> subprocess.Popen[bytes]:
        started = self._start("service.cli", "api")
        until(self._answers, 20)
        return started

    def worker(self, queues: str = "now,score") -> subprocess.Popen[bytes]:
        return self._start("service.jobs.worker", f"--queues={queues}")

    def client(self) -> Client:
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
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()

    def _start(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", module, *arguments]
        process = subprocess.Popen(command, cwd=ROOT, env=self.env)
        self.processes.append(process)
        return process

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.base}/readyz").status_code == 200
        except httpx.TransportError:
            return False


def until(true: Callable[[], Any], seconds: float, pause: float = 0.05) -> float:
    """Waits for it; returns how long it took. Fails when it took longer than `seconds`."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < seconds, f"not within {seconds} s"
        time.sleep(pause)
    return time.monotonic() - begun


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
