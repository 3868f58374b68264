"""The table of registered models; the others are in `tables`."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, DateTime, Float, Integer, LargeBinary, Table, Text

from service.db.columns import JSON, JSONB, stamp
from service.db.tables import metadata

# A model behind a URL, by the name it has here.
registered_models = Table(
    "registered_models",
    metadata,
    Column("name", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("model", Text, nullable=False),  # the server's name of it
    Column("key", LargeBinary),  # encrypted: see service.models.keys
    Column("key_env", Text),  # or the worker's environment variable that holds it
    Column("concurrency", Integer, nullable=False),
    Column("requests_per_minute", Integer),
    Column("tokens_per_minute", Integer),
    Column("timeout_s", Float, nullable=False),
    Column("input_price", Float),  # per million tokens
    Column("output_price", Float),
    Column("extra_body", JSON, nullable=False),
    Column("private", Boolean, nullable=False),  # may its address be private or loopback
    Column("offers", JSONB),  # what the last check found: service.models.schemas.ModelOffers
    Column("checked_at", DateTime(timezone=True)),
    stamp("created_at"),
)
