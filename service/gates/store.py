"""Gates, and what their checks found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from metrics.core.names import hint
from service.db.gate_tables import gate_checks, gates
from service.db.identifiers import new
from service.db.pages import paged
from service.db.stored import Stored
from service.db.tables import checkpoints, datasets, evaluations
from service.db.versions import newest
from service.errors import invalid, not_found
from service.gates.schemas import GateIn


@dataclass(frozen=True, slots=True)
class Gate(Stored):
    """A version of a gate."""

    id: str
    name: str
    version: int
    content: Mapping[str, Any]
    created_at: datetime

    @property
    def asked(self) -> GateIn:
        """What was asked for."""
        return GateIn.model_validate(self.content)


@dataclass(frozen=True, slots=True)
class Check(Stored):
    """A check with its gate's name and version, and its evaluation's system and status."""

    id: str
    gate_id: str
    gate: str
    version: int
    evaluation_id: str
    system: str
    status: str
    size: int
    verdict: str | None
    result: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    created_at: datetime


def put(db: Connection, asked: GateIn) -> tuple[Gate, bool]:
    """The gate's version with this content, and whether it is new."""
    content = asked.model_dump(mode="json")
    db.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 14))"), {"name": asked.name}
    )
    latest = find(db, asked.name)
    if latest is not None and dict(latest.content) == content:
        return latest, False
    version = latest.version + 1 if latest is not None else 1
    values = {"id": new("gate"), "name": asked.name, "version": version, "content": content}
    row = db.execute(insert(gates).values(**values).returning(*gates.c)).one()
    return Gate.from_row(row), True


def find(db: Connection, name: str) -> Gate | None:
    """The newest version of the gate, or the one of `name@version`."""
    row = newest(db, gates, name)
    return Gate.from_row(row) if row is not None else None


def get(db: Connection, id: str) -> Gate | None:
    """The version with this id; None where there is none."""
    row = db.execute(select(gates).where(gates.c.id == id)).one_or_none()
    return Gate.from_row(row) if row is not None else None


def require(db: Connection, name: str, param: str | None = None) -> Gate:
    """The gate. Raises 404, or 422 where the field `param` of a body named it."""
    gate = find(db, name)
    if gate is not None:
        return gate
    names = db.scalars(select(gates.c.name).distinct().order_by(gates.c.name).limit(500))
    missing = not_found("gate", name, hint(name, names))
    if param is not None:
        raise invalid(missing.code, missing.message, param)
    raise missing


def page(db: Connection, *, after: str | None, limit: int, descending: bool) -> list[Gate]:
    """Up to `limit` gates, the newest version of each, by that version's time of creation."""
    of = gates.alias("of")
    newest = select(func.max(of.c.version)).where(of.c.name == gates.c.name).scalar_subquery()
    query = select(gates).where(gates.c.version == newest)
    query = paged(db, query, gates.c.id, after=after, limit=limit, descending=descending)
    return [Gate.from_row(row) for row in db.execute(query)]


def add_check(db: Connection, gate: str, evaluation: str) -> str:
    """Store a check without a verdict, and return its id."""
    id = new("check")
    db.execute(insert(gate_checks).values(id=id, gate_id=gate, evaluation_id=evaluation))
    return id


def settle_check(db: Connection, id: str, **values: object) -> None:
    """Store what a check found: `verdict` and `result`, or an `error`."""
    db.execute(update(gate_checks).where(gate_checks.c.id == id).values(**values))


def get_check(db: Connection, id: str) -> Check | None:
    """The check; None where there is none."""
    row = db.execute(_listing().where(gate_checks.c.id == id)).one_or_none()
    return Check.from_row(row) if row is not None else None


def waiting_checks(db: Connection, evaluation: str) -> list[str]:
    """Checks that wait for the evaluation's end."""
    query = select(gate_checks.c.id).where(
        gate_checks.c.evaluation_id == evaluation,
        gate_checks.c.verdict.is_(None),
        gate_checks.c.error.is_(None),
    )
    return list(db.scalars(query))


def checks(
    db: Connection, name: str, *, after: str | None, limit: int, descending: bool
) -> list[Check]:
    """Up to `limit` checks of a gate, of all its versions."""
    query = _listing().where(gates.c.name == name)
    query = paged(db, query, gate_checks.c.id, after=after, limit=limit, descending=descending)
    return [Check.from_row(row) for row in db.execute(query)]


def checks_of(db: Connection, evaluations_: list[str], name: str) -> dict[str, Check]:
    """The newest check of the gate that does not wait any more, by evaluation."""
    query = (
        _listing()
        .where(
            gates.c.name == name,
            gate_checks.c.evaluation_id.in_(evaluations_),
            or_(gate_checks.c.verdict.is_not(None), gate_checks.c.error.is_not(None)),
        )
        .order_by(gate_checks.c.id)
    )
    return {row.evaluation_id: Check.from_row(row) for row in db.execute(query)}


def newest_of_system(
    db: Connection, dataset: str, system: str, *, but: str | None, version: int | None
) -> str | None:
    """The system's newest succeeded evaluation on the dataset of this name, another than `but`;
    one on the `version` before others."""
    query = _succeeded(dataset, version).where(evaluations.c.system == system).limit(1)
    if but is not None:
        query = query.where(evaluations.c.id != but)
    found: str | None = db.scalar(query)
    return found


def of_model(db: Connection, dataset: str, model: str, version: int | None) -> Sequence[str]:
    """Succeeded evaluations on the dataset for which the service ran the model, newest first."""
    return db.scalars(_succeeded(dataset, version).where(evaluations.c.model == model)).all()


def evaluation_of_checkpoint(db: Connection, checkpoint: str) -> tuple[bool, str | None]:
    """Whether there is such a checkpoint, and its evaluation."""
    query = select(checkpoints.c.evaluation_id).where(checkpoints.c.id == checkpoint)
    row = db.execute(query).one_or_none()
    return row is not None, row.evaluation_id if row is not None else None


def _succeeded(dataset: str, version: int | None) -> Select[Any]:
    return (
        select(evaluations.c.id)
        .join(datasets, datasets.c.id == evaluations.c.dataset_id)
        .where(datasets.c.name == dataset, evaluations.c.status == "succeeded")
        .order_by((datasets.c.version == (version or 0)).desc(), evaluations.c.id.desc())
    )


def _listing() -> Select[Any]:
    return (
        select(
            gate_checks,
            gates.c.name.label("gate"),
            gates.c.version,
            evaluations.c.system,
            evaluations.c.status,
            evaluations.c.size,
        )
        .join(gates, gates.c.id == gate_checks.c.gate_id)
        .join(evaluations, evaluations.c.id == gate_checks.c.evaluation_id)
    )
