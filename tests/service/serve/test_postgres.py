"""The embedded PostgreSQL, with real servers and real kills."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from service.db.migrations import migrate
from service.processes import dies_with_parent
from service.serve import postgres
from service.serve import postgres_user as account
from service.serve.postgres import EmbeddedPostgres, PostgresError, _working_in
from tests.service.folders import data_folder

ROOT = os.geteuid() == 0
FOREIGN = """
SELECT relname FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relowner <> current_user::regrole
 UNION ALL
SELECT proname FROM pg_proc
 WHERE pronamespace = 'public'::regnamespace AND proowner <> current_user::regrole
 UNION ALL
SELECT typname FROM pg_type
 WHERE typnamespace = 'public'::regnamespace AND typowner <> current_user::regrole
"""
OWNER = """
import sys, time
from pathlib import Path
from service.serve.postgres import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1])) as server:
    print(server.process.pid, server.url, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with data_folder() as folder:
        yield folder


def write(url: str, value: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (value int)")
        connection.execute("INSERT INTO kept VALUES (%s)", [value])


def read(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT value FROM kept ORDER BY value").fetchall()
    return [value for (value,) in rows]


def start_owner(folder: Path) -> tuple[subprocess.Popen[str], int, str]:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=dies_with_parent(),
    )
    assert owner.stdout is not None
    pid, url = owner.stdout.readline().split()
    return owner, int(pid), url


def test_data_survive_a_stop(folder: Path) -> None:
    for value in (1, 2):
        with EmbeddedPostgres(folder) as server:
            write(server.url, value)
            kept = read(server.url)
            socket = (folder / "socket").readlink()
            assert socket.exists()
        assert not socket.exists()
        assert not (folder / "socket").is_symlink()
        assert _working_in(folder / "postgres") == []
    assert kept == [1, 2]


def test_only_the_owner_may_connect(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        socket = (folder / "socket").resolve()
        assert stat.S_IMODE(socket.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "postgres").stat().st_mode) == 0o700
        kept = folder / "postgres" / "assay.password"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert server.process is not None
        command = Path(f"/proc/{server.process.pid}/cmdline").read_text()
        assert kept.read_text() not in command
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
        for password in ("", "guess"):
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(f"host={socket} user=assay dbname=assay password='{password}'")


def test_a_killed_server_starts_again_under_the_same_url(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        write(server.url, 7)
        url = server.url
        assert server.process is not None
        server.process.kill()
        server.process.wait()
        began = time.monotonic()
        server.start()
        assert time.monotonic() - began < 10
        assert server.url == url
        assert read(url) == [7]


def test_server_dies_with_its_owner_and_the_next_one_takes_over(folder: Path) -> None:
    owner, _, url = start_owner(folder)
    write(url, 3)
    socket = (folder / "socket").readlink()
    owner.kill()
    owner.wait()
    with EmbeddedPostgres(folder) as server:
        assert read(server.url) == [3]
        assert server.process is not None
        working = _working_in(folder / "postgres")
        assert server.process.pid in working
    assert not socket.exists()  # what the killed owner left in the temporary folder


def test_a_server_that_outlives_its_owner_is_ended(folder: Path) -> None:
    owner, pid, url = start_owner(folder)
    write(url, 4)
    os.kill(pid, signal.SIGSTOP)  # it cannot act on the signal its owner's death sends
    owner.kill()
    owner.wait()
    assert pid in _working_in(folder / "postgres")
    with EmbeddedPostgres(folder) as server:
        assert pid not in _working_in(folder / "postgres")
        assert read(server.url) == [4]


def test_a_second_owner_is_refused(folder: Path) -> None:
    with EmbeddedPostgres(folder) as first:
        write(first.url, 5)
        with pytest.raises(PostgresError, match=rf"in use by process {os.getpid()}\b"):
            EmbeddedPostgres(folder).__enter__()
        assert read(first.url) == [5]  # and does the first no harm
    with EmbeddedPostgres(folder) as again:
        assert read(again.url) == [5]


def test_a_stale_pid_file_harms_no_innocent_process(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        write(server.url, 6)
    innocent = subprocess.Popen(["sleep", "60"], cwd=folder / "postgres")
    try:
        stale = [str(innocent.pid), str(folder / "postgres"), "1", "5432", "/tmp", "", "", "ready"]
        (folder / "postgres" / "postmaster.pid").write_text("\n".join(stale) + "\n")
        with EmbeddedPostgres(folder) as server:
            assert read(server.url) == [6]
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_an_interrupted_first_start_leaves_nothing_half_made(folder: Path) -> None:
    half = folder / "postgres.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(folder) as server:
        write(server.url, 8)
    assert not half.exists()


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    with EmbeddedPostgres(folder):
        pass
    with (folder / "postgres" / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = on\n")
    with pytest.raises(PostgresError, match="no_such_setting"):
        EmbeddedPostgres(folder).__enter__()
    with pytest.raises(PostgresError, match="no_such_setting"):  # and not: in use
        EmbeddedPostgres(folder).__enter__()


def test_a_thread_may_not_own_it(folder: Path) -> None:
    caught: list[BaseException] = []

    def enter() -> None:
        try:
            EmbeddedPostgres(folder).__enter__()
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert "main thread" in str(caught[0])
    assert _working_in(folder / "postgres") == []


def superuser(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return connection.execute("SHOW is_superuser").fetchone() == ("on",)


def test_the_role_is_no_superuser(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        assert not superuser(server.url)
        with psycopg.connect(server.url) as connection:
            for forbidden in (
                "COPY (SELECT 1) TO PROGRAM 'true'",
                "SELECT pg_read_file('PG_VERSION')",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                    connection.execute(forbidden)
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(server.url.replace("//assay:", "//postgres:"))


def test_an_older_data_folder_gets_the_role_and_the_user(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:  # as version 0.1 left it
        before.setattr(postgres, "demote", lambda connection: None)
        before.setattr(account, "_made", lambda: None)
        with EmbeddedPostgres(folder) as server:
            assert superuser(server.url)
            migrate(server.url)
            write(server.url, 1)
    with EmbeddedPostgres(folder) as server:
        assert not superuser(server.url)
        assert read(server.url) == [1]
        with psycopg.connect(server.url) as connection:
            foreign = connection.execute(FOREIGN).fetchall()
            connection.execute("ALTER TABLE evaluations ADD COLUMN later int")
        assert foreign == []
        owners = {path.stat().st_uid for path in (folder / "postgres").rglob("*")}
        assert owners == {server.account.uid}
        if ROOT:
            assert server.account.uid == pwd.getpwnam(account.NAME).pw_uid
        url = server.url
    with EmbeddedPostgres(folder) as again:
        assert again.url.split("@")[0] == url.split("@")[0]
        assert read(again.url) == [1]


@pytest.mark.skipif(not ROOT, reason="needs root")
def test_root_runs_it_as_someone_else(folder: Path) -> None:
    before = stat.S_IMODE(folder.parent.stat().st_mode)
    with EmbeddedPostgres(folder) as server:
        assert server.process is not None
        assert Path(f"/proc/{server.process.pid}").stat().st_uid == server.account.uid != 0
        assert server.account.uid != pwd.getpwnam("nobody").pw_uid
        assert (folder / "postgres").stat().st_uid == server.account.uid
        write(server.url, 9)
    assert stat.S_IMODE(folder.parent.stat().st_mode) == before


@pytest.mark.skipif(not ROOT, reason="needs root")
def test_below_a_closed_folder_root_keeps_the_files_elsewhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "STATE", folder.parent / "state")
    closed = folder.parent / "closed"
    closed.mkdir(mode=0o700)
    for value in (1, 2):
        with EmbeddedPostgres(closed / "data") as server:
            write(server.url, value)
            assert read(server.url) == list(range(1, value + 1))
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    where = (closed / "data" / "postgres").resolve()
    assert where.is_relative_to(folder.parent / "state")
    shutil.rmtree(where)
    with pytest.raises(PostgresError, match="gone"):  # never a new, empty database instead
        EmbeddedPostgres(closed / "data").__enter__()


@pytest.mark.skipif(not ROOT, reason="needs root")
def test_programs_out_of_reach_are_copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import service.serve.postgres as module

    monkeypatch.setattr(account, "STATE", folder.parent / "state")
    closed = folder.parent / "root only"
    closed.mkdir(mode=0o700)
    package = module._package()
    for name in (f"{package.name}/pginstall18", f"{package.name}.libs"):
        shutil.copytree(package.parent / name, closed / name, symlinks=True)
    monkeypatch.setattr(module, "_package", lambda: closed / package.name)
    with EmbeddedPostgres(folder) as server:
        assert server.programs.is_relative_to(folder.parent / "state")
        write(server.url, 1)
        assert read(server.url) == [1]
