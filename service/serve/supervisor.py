"""`assay serve`: database, API and workers as children of one process, restarted when they exit.

Started in the order database, migrations, API and workers; stopped in the reverse. None outlives
this process, however it ends.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from types import FrameType

from pydantic import SecretStr

from service.processes import conceal, dies_with_parent
from service.serve.devices import UnknownDevice, devices
from service.serve.postgres import EmbeddedPostgres, PostgresError
from service.settings import Settings

log = logging.getLogger("assay.serve")

TICK = 0.1  # seconds between looks at the children
SETTLED = 10.0  # seconds after which a child counts as having started well
PAUSES = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds before a restart, by quick exits in a row
GRACE = 15.0  # seconds that API and workers have to stop, beside what training has to save
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ServeError(Exception):
    """The service cannot start; the message is one clear line."""


@dataclass(slots=True)
class Child:
    """One process that should be running."""

    name: str
    spawn: Callable[[], subprocess.Popen[bytes]]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    due: float = 0.0  # when to start it
    quick: int = 0  # exits in a row soon after a start

    def look(self, now: float) -> None:
        """Notices an exit; starts the process when it is due."""
        if self.process is not None and (status := self.process.poll()) is not None:
            self.process = None
            self._exited(f"status {status}" if status >= 0 else f"signal {-status}", now)
        if self.process is None and now >= self.due:
            self.started = now
            try:
                self.process = self.spawn()
            except (PostgresError, OSError) as error:
                self._exited(str(error), time.monotonic())

    def _exited(self, how: str, now: float) -> None:
        self.quick = self.quick + 1 if now - self.started < SETTLED else 0
        pause = PAUSES[min(self.quick, len(PAUSES) - 1)]
        self.due = now + pause
        if self.quick < 3:
            log.warning("%s ended (%s); restarting", self.name, how)
        else:
            log.error(
                "%s ends as soon as it starts (%s, %d times now): its reason is in the lines "
                "above; next try in %g s",
                self.name,
                how,
                self.quick,
                pause,
            )


def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Runs the whole service until SIGINT or SIGTERM. Raises ServeError, PostgresError.

    `announce` gets the lines meant for whoever started it: where it listens, once it does.
    """
    conceal()
    wanted: list[int] = []  # signals received

    def remember(number: int, frame: FrameType | None) -> None:
        wanted.append(number)

    settings = settings.model_copy(update={"port": _free_port(settings.host, settings.port)})
    try:
        names = devices(settings.workers)
    except UnknownDevice as error:
        raise ServeError(f"--device, ASSAY_WORKERS: {error}") from None
    before = {number: signal.signal(number, remember) for number in SIGNALS}
    try:
        with ExitStack() as stack:
            children: list[Child] = []
            if settings.embedded:
                server = stack.enter_context(EmbeddedPostgres(settings.data_dir))
                settings = settings.model_copy(update={"database_url": SecretStr(server.url)})
                children.append(_database(server))
            if not wanted:
                migrate(settings)
            ours = [_api(settings), *(_worker(settings, device) for device in names)]
            stack.callback(_stop, ours, wanted, GRACE + settings.stop_seconds)
            _watch([*children, *ours], settings, announce, wanted)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch(
    children: Sequence[Child],
    settings: Settings,
    announce: Callable[[str], None],
    wanted: Sequence[int],
) -> None:
    from service.http import space

    address = _address(settings)
    ready = False
    if (reason := space.shortage(settings)) is not None:
        announce(f"Assay will listen on {address}, but takes nothing new in: {reason}")
    while not wanted:
        for child in children:
            child.look(time.monotonic())
        if not ready and _answers(f"{address}/readyz"):
            ready = True
            announce(f"Assay listens on {address}  (API docs: {address}/docs)")
        time.sleep(TICK)


def _stop(children: Sequence[Child], wanted: Sequence[int], patience: float) -> None:
    """SIGTERM to all, then SIGKILL to what is left after a while or at a second Ctrl-C."""
    running = [child.process for child in children if child.process is not None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + patience
    while any(process.poll() is None for process in running):
        if time.monotonic() > deadline or len(wanted) > 1:
            break
        time.sleep(TICK)
    for process in running:
        process.kill()
        process.wait()


def _database(server: EmbeddedPostgres) -> Child:
    def spawn() -> subprocess.Popen[bytes]:
        server.start()
        return _running(server)

    return Child("the embedded PostgreSQL", spawn, _running(server), time.monotonic())


def _running(server: EmbeddedPostgres) -> subprocess.Popen[bytes]:
    if server.process is None:
        raise PostgresError("the embedded PostgreSQL is not running")
    return server.process


def _api(settings: Settings) -> Child:
    return Child("the API", lambda: _python(settings, "service.serve.api"))


def _worker(settings: Settings, device: str) -> Child:
    arguments = ("service.cli", "worker", "--device", device, "--queues", settings.worker_queues)
    return Child(f"the worker on {device}", lambda: _python(settings, *arguments))


def _python(settings: Settings, module: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.DEVNULL,
        env=os.environ | settings.environment(),
        start_new_session=True,  # Ctrl-C is for us: the order of stopping is ours
        preexec_fn=dies_with_parent(),  # noqa: PLW1509 (see there)
    )


def migrate(settings: Settings) -> None:
    """Brings the database to the newest schema. Raises ServeError when it cannot be reached."""
    from sqlalchemy.exc import OperationalError

    from service.db import migrations

    try:
        migrations.migrate(settings.url)
    except OperationalError as error:
        raise ServeError(f"no database at ASSAY_DATABASE_URL: {error.orig}") from error


def _free_port(host: str, port: int) -> int:
    """`port`, or a free one for 0. Raises ServeError when it is taken."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise ServeError(f"ASSAY_HOST: {host!r} is no address of this machine") from error
    family, kind, protocol, _, address = found[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise ServeError(
                f"{host}:{port} cannot be listened on ({error.strerror}): "
                "set another port with --port or ASSAY_PORT"
            ) from error
        return int(probe.getsockname()[1])


def _address(settings: Settings) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def _answers(url: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with suppress(OSError, urllib.error.URLError), direct.open(url, timeout=1) as response:
        return bool(response.status == 200)
    return False
