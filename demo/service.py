"""A running service: the one that answers already, or one of the demo's own, ended with it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console
from rich.markup import escape

from assay import AssayError, Client
from service.processes import dies_with_parent, stop
from service.settings import Settings, get_settings

PATIENCE = 60.0  # seconds until a started service has to be ready
GRACE = 25.0  # seconds it has to stop


class DemoError(Exception):
    """The demo cannot go on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Service:
    url: str
    ours: bool  # started here, so ended here


def stage(demo: Callable[[Service, Settings, Console], None], when_stopped: str) -> int:
    """Runs a demo beside a service, which ends with it if it was started here; returns the exit
    status. `when_stopped` is said on Ctrl-C."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 100)
    settings = get_settings()
    try:
        with running(settings, console) as service:
            demo(service, settings, console)
    except KeyboardInterrupt:
        console.print(f"\nStopped. {when_stopped}")
        return 130
    except (DemoError, AssayError, httpx.HTTPError) as error:
        console.print(f"[red]The demo stopped:[/] {escape(str(error))}")
        return 1
    return 0


def walk(title: str, steps: Callable[[Client, Console], None], when_stopped: str) -> int:
    """A stage that takes minutes: says what it is, and at the end how long it took."""

    def staged(service: Service, _: Settings, console: Console) -> None:
        console.print(f"\n[bold]Assay[/] at {service.url}: {title}")
        started = time.monotonic()
        with Client(service.url) as assay:
            steps(assay, console)
        console.print(f"All of this took {(time.monotonic() - started) / 60:.1f} minutes.\n")

    return stage(staged, when_stopped)


@contextmanager
def running(settings: Settings, console: Console) -> Iterator[Service]:
    """The service at the settings' port, started on it, or on a free one if it is taken."""
    url = f"http://127.0.0.1:{settings.port}"
    if _is_assay(url):
        yield Service(url, ours=False)
        return
    port = settings.port if _is_free(settings.port) else _free_port()
    url = f"http://127.0.0.1:{port}"
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    log = settings.data_dir / "demo.log"
    child = _start(port, log)
    try:
        with console.status("starting the service: database, API, worker"):
            _wait(child, url, log)
        yield Service(url, ours=True)
    finally:
        with console.status("stopping the service"):
            stop(child, signal.SIGTERM, GRACE)


def _start(port: int, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "service.cli", "serve", "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=os.environ | {"ASSAY_HOST": "127.0.0.1", "PYTHONUNBUFFERED": "1"},
            start_new_session=True,  # Ctrl-C is the demo's: it stops the service in order
            preexec_fn=dies_with_parent(signal.SIGTERM),  # noqa: PLW1509 (see there)
        )


def _wait(child: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not _is_assay(url):
        if child.poll() is not None or time.monotonic() > deadline:
            said = log.read_text(errors="replace").strip().splitlines()[-8:]
            raise DemoError("\n".join(["the service did not start; it said:", *said, f"({log})"]))
        time.sleep(0.1)


def _is_assay(url: str) -> bool:
    """Whether a service of ours, ready to work, answers there."""
    try:
        with httpx.Client(base_url=url, timeout=2.0, trust_env=False) as http:
            ready = http.get("/readyz")
            return ready.is_success and http.get("/openapi.json").json()["info"]["title"] == "Assay"
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
