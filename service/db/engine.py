"""Connections. Whoever opens one commits it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import orjson
import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text

# an escaped NUL; behind an odd number of backslashes it is a text that spells one
ESCAPED_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
TABLE_OF_VERSIONS = text("SELECT to_regclass('alembic_version')")
VERSIONS = text("SELECT version_num FROM alembic_version")


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


def is_current(db: Connection) -> bool:
    """Whether the database's schema is the one this code was written for. Does without Alembic,
    which an API that only asks this would load for nothing."""
    return db.scalar(TABLE_OF_VERSIONS) is not None and db.scalars(VERSIONS).all() == [_head()]


@cache
def _head() -> str:
    """The newest revision: they are numbered, and a revision's file begins with its number."""
    return max(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("*.py"))
