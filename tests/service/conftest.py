"""A real PostgreSQL for the service's tests: the embedded one, a database for each who asks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import Engine

from service.database import connect, migrate
from service.postgres import OPTIONS, EmbeddedPostgres

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """The server, for the whole session."""
    folder: Path = tmp_path_factory.mktemp("postgres")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(OPTIONS, "fsync", "off")  # nothing here outlives the machine
        with EmbeddedPostgres(folder) as server:
            yield server


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
