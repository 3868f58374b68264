"""A real PostgreSQL and a running service, one of each for all tests of a process.

The database is the embedded one; whoever asks gets a database of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from signal import SIGQUIT

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import Engine

from assay import AssayError
from service.db.engine import connect
from service.db.migrations import migrate
from service.serve.postgres import OPTIONS, EmbeddedPostgres
from tests.service.folders import data_folder
from tests.service.live import Live

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """The server, for the whole session."""
    with ExitStack() as stack:
        folder = stack.enter_context(data_folder())
        with pytest.MonkeyPatch.context() as patch:  # of this server, and of no other
            patch.setitem(OPTIONS, "fsync", "off")  # nothing here outlives the machine
            server = stack.enter_context(EmbeddedPostgres(folder))
        yield server
        if server.process is not None:
            server.process.send_signal(SIGQUIT)  # it would write all databases that tests made


@pytest.fixture(scope="session")
def template(postgres: EmbeddedPostgres) -> str:
    """A migrated database that others are copied from."""
    return _database(postgres, "template0", migrated=True)[0]


@pytest.fixture(scope="session")
def new_database(postgres: EmbeddedPostgres, template: str) -> Callable[[], str]:
    """Makes an empty, migrated database and returns its URL."""
    return lambda: _database(postgres, template)[1]


@pytest.fixture(scope="session")
def database_url(new_database: Callable[[], str]) -> str:
    """A migrated database that the whole session shares."""
    return new_database()


@pytest.fixture
def fresh_url(new_database: Callable[[], str]) -> str:
    """A migrated database of the test's own."""
    return new_database()


@pytest.fixture
def engine(fresh_url: str) -> Iterator[Engine]:
    """An engine on `fresh_url`."""
    engine = connect(fresh_url)
    yield engine
    engine.dispose()


def _database(server: EmbeddedPostgres, source: str, migrated: bool = False) -> tuple[str, str]:
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(
            SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(source))
        )
    url = server.url.replace("@/assay?", f"@/{name}?")
    if migrated:
        migrate(url)
    return name, url


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    """A data folder whose converted models stay between runs."""
    folder: Path = tmp_path_factory.mktemp("data")
    model_cache.mkdir(parents=True, exist_ok=True)
    (folder / "models").symlink_to(model_cache, target_is_directory=True)
    return folder


@pytest.fixture(scope="session")
def live(
    database_url: str,
    data_dir: Path,
    models_root: Path,
    tiny_language_model: Path,
    tiny_reward_model: Path,
) -> Iterator[Live]:
    """As on a laptop: one worker that scores and trains; local models are under `models_root`."""
    service = Live(
        database_url,
        data_dir,
        model_roots=str(models_root),
        max_body_bytes=str(3_000_000),
        sandbox_timeout_s="200",
    )
    service.api()
    service.worker("now,score,train")
    yield service
    service.close()


@pytest.fixture
def api_alone(fresh_url: str, data_dir: Path) -> Iterator[Live]:
    """A service of the test's own, for what needs no worker."""
    service = Live(fresh_url, data_dir)
    service.api()
    yield service
    service.close()


@pytest.fixture(scope="module")
def at_rest(live: Live) -> Iterator[None]:
    """For modules that start what they do not wait for: those after them find a free worker."""
    yield
    with live.client() as assay:
        for job in assay.request("GET", "/v1/training_jobs", limit=1000)["data"]:
            if job["status"] in {"queued", "running", "paused"}:
                try:
                    assay.request("POST", f"/v1/training_jobs/{job['id']}/cancel")
                except AssayError as error:  # it has ended since it was listed
                    if error.code != "already_finished":
                        raise
