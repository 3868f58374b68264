"""Registered models as they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from inference.remote.registered import Registered
from service.db.annotation_tables import annotators
from service.db.arena_tables import arenas
from service.db.model_tables import registered_models
from service.db.stored import Stored
from service.db.tables import evaluations, training_jobs
from service.models import keys
from service.settings import Settings

RUNNING = ("queued", "running")
ENDED = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class RegisteredRow(Stored):
    """A registered model; `key` is encrypted."""

    name: str
    url: str
    model: str
    key: bytes | None = field(repr=False)
    key_env: str | None
    concurrency: int
    requests_per_minute: int | None
    tokens_per_minute: int | None
    timeout_s: float
    input_price: float | None
    output_price: float | None
    extra_body: Mapping[str, Any]
    private: bool
    offers: Mapping[str, Any] | None
    checked_at: datetime | None
    created_at: datetime


def nameable(name: str) -> bool:
    """Whether a registered model could have this name: most names ask the database nothing."""
    return "/" not in name and not name.startswith("ckpt_") and "\x00" not in name


def find(db: Connection, name: str) -> RegisteredRow | None:
    """The model registered under this name."""
    if not nameable(name):
        return None
    query = select(registered_models).where(registered_models.c.name == name)
    row = db.execute(query).one_or_none()
    return RegisteredRow.from_row(row) if row is not None else None


def every(db: Connection) -> list[RegisteredRow]:
    """All registered models, by name."""
    query = select(registered_models).order_by(registered_models.c.name)
    return [RegisteredRow.from_row(row) for row in db.execute(query)]


def create(db: Connection, values: Mapping[str, Any]) -> bool:
    """Whether there was no model of this name, which is now."""
    made = insert(registered_models).values(**values).on_conflict_do_nothing()
    return db.execute(made.returning(registered_models.c.name)).one_or_none() is not None


def change(db: Connection, name: str, values: Mapping[str, Any]) -> None:
    """Change some columns."""
    if values:
        named = registered_models.c.name == name
        db.execute(update(registered_models).where(named).values(**values))


def checked(db: Connection, name: str, offers: Mapping[str, Any]) -> None:
    """Store what a check found."""
    change(db, name, {"offers": dict(offers), "checked_at": func.now()})


def remove(db: Connection, name: str) -> None:
    """Forget the model; what it answered stays."""
    db.execute(delete(registered_models).where(registered_models.c.name == name))


def user(db: Connection, name: str) -> str | None:
    """The id of an evaluation, job or annotator that has not ended, or of an arena, that names the
    model."""
    for table, over in (
        (evaluations, evaluations.c.status.in_(RUNNING)),
        (training_jobs, training_jobs.c.status.not_in(ENDED)),
    ):
        named = or_(table.c.model == name, table.c.models.any(name))
        found: str | None = db.scalar(select(table.c.id).where(over, named).limit(1))
        if found is not None:
            return found
    judging = annotators.c.finished_at.is_(None) & annotators.c.revoked_at.is_(None)
    judge = select(annotators.c.id).where(annotators.c.model == name, judging)
    arena = select(arenas.c.id).where(arenas.c.models.any(name))
    user: str | None = db.scalar(judge.limit(1)) or db.scalar(arena.limit(1))
    return user


def opened(settings: Settings, row: RegisteredRow) -> Registered:
    """The model, ready to be asked. Raises KeyMissing."""
    return Registered(
        name=row.name,
        url=row.url,
        model=row.model,
        key=keys.opened(settings, row.name, row.key, row.key_env),
        concurrency=row.concurrency,
        requests_per_minute=row.requests_per_minute,
        tokens_per_minute=row.tokens_per_minute,
        timeout_s=row.timeout_s,
        input_price=row.input_price,
        output_price=row.output_price,
        extra_body=row.extra_body,
        private=row.private and settings.private_urls is not False,
    )
