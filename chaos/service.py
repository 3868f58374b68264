"""`assay serve` in a folder of its own, and its processes by what they do."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from service.processes import dies_with_parent, stop
from tests.tiny_models import build_language_model

MODEL = "tiny-language"
SETTINGS = {
    "ASSAY_HOST": "127.0.0.1",
    "ASSAY_SHARD_SIZE": "40",  # several tasks an evaluation
    "ASSAY_EVIDENCE_CACHE_BYTES": "0",  # everything is measured anew
    "ASSAY_LOG_LEVEL": "WARNING",
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",  # the order of sums, so that values can be compared to the last digit
    "TOKENIZERS_PARALLELISM": "false",
}
READY, GRACE = 180.0, 90.0  # seconds to start, and to stop
VICTIMS = ("API", "worker", "compute", "training", "backend", "postmaster")


@dataclass(frozen=True, slots=True)
class Service:
    """A service that runs, with what it says in `log`."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def victims(self) -> dict[str, list[int]]:
        """Numbers of the processes that live, by what they are."""
        found: dict[str, list[int]] = {}
        with suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self.process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    top = process.ppid() == self.process.pid
                    if (role := role_of(process.cmdline(), top)) is not None:
                        found.setdefault(role, []).append(process.pid)
        return found

    def kill_one(self, chance: random.Random) -> str | None:
        """SIGKILL to a process of a kind drawn at random; None where none of that kind lives."""
        role = chance.choice(VICTIMS)
        living = self.victims().get(role)
        if not living:
            return None
        try:
            os.kill(chance.choice(living), signal.SIGKILL)
        except ProcessLookupError:
            return None
        return role


def role_of(command: Sequence[str], top: bool) -> str | None:
    """What the process with this command line does for the service; None: nothing to kill.

    top  whether `assay serve` itself started it
    """
    line = " ".join(command)
    if "service.serve.api" in command:
        return "API"
    if "service.jobs.compute" in command:
        return "compute"
    if "trainers.job.process" in command:
        return "training"
    if "service.cli" in command and "worker" in command:
        return "worker"
    if top and command and command[0].endswith("/postgres"):
        return "postmaster"
    return "backend" if line.startswith("postgres:") and "[local]" in line else None


@contextmanager
def running(folder: Path) -> Iterator[Service]:
    """A service with its data and its model below `folder`."""
    folder.chmod(0o755)  # the private PostgreSQL may run as another account
    build_language_model(folder / "models" / MODEL)
    port = _free_port()
    log = folder / "serve.log"
    given = {
        "ASSAY_DATA_DIR": str(folder / "data"),
        "ASSAY_MODEL_ROOTS": str(folder / "models"),
        "ASSAY_PORT": str(port),
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", "serve", "--device", "cpu"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=kept | SETTINGS | given,
            start_new_session=True,
            preexec_fn=dies_with_parent(signal.SIGTERM),  # noqa: PLW1509 (see there)
        )
    service = Service(process, f"http://127.0.0.1:{port}", log)
    try:
        _wait(service)
        yield service
    finally:
        stop(process, signal.SIGTERM, GRACE)


def _wait(service: Service) -> None:
    deadline = time.monotonic() + READY
    while time.monotonic() < deadline and service.process.poll() is None:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{service.url}/readyz", trust_env=False).is_success:
                return
        time.sleep(0.2)
    raise SystemExit(f"the service did not start:\n{service.log.read_text(errors='replace')}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
