"""Connections and migrations. Whoever opens a connection commits it."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, make_url

# an escaped NUL; behind an odd number of backslashes it is a text that spells one
ESCAPED_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


def normalize(url: str | URL) -> URL:
    """Any PostgreSQL URL, with the driver used here. Raises ValueError for other databases."""
    parsed = make_url(url)
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise ValueError("ASSAY_DATABASE_URL must name a PostgreSQL database (postgresql://…)")
    return parsed.set(drivername="postgresql+psycopg")


def connect(url: str | URL, pool_size: int = 10) -> Engine:
    """An engine that reads and writes JSON with orjson and checks connections before use."""
    return create_engine(
        normalize(url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        hide_parameters=True,  # users' texts have no business in logs
        json_serializer=_json,
        json_deserializer=orjson.loads,
        connect_args={"application_name": "assay", "connect_timeout": 10},
    )


def driver(db: Connection) -> psycopg.Connection[tuple[object, ...]]:
    """The psycopg connection under a SQLAlchemy one: same session, same transaction."""
    raw = db.connection.driver_connection
    if not isinstance(raw, psycopg.Connection):
        raise TypeError(f"expected a psycopg connection, got {type(raw).__name__}")
    return raw


def _json(value: object) -> str:
    """JSON as PostgreSQL takes it: what is not finite becomes null, NUL becomes U+FFFD."""
    return ESCAPED_NUL.sub(r"\1\\ufffd", orjson.dumps(value).decode())


def migrate(url: str | URL) -> None:
    """Bring the schema to head. Safe to call from several processes at once."""
    command.upgrade(_config(url), "head")


def is_current(db: Connection) -> bool:
    """Whether the database's schema is the one this code was written for."""
    head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    return MigrationContext.configure(db).get_current_revision() == head


def _config(url: str | URL) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["url"] = normalize(url)
    return config
