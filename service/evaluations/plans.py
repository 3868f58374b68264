"""The metrics of an evaluation: as they were asked for, and as they are measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from inference.errors import ReportedError
from metrics import find
from metrics.community.people import PREFIX
from metrics.core.metric import BoundMetric
from service.db.stored import Stored
from service.db.tables import evaluation_metrics


@dataclass(frozen=True, slots=True)
class MetricRequest:
    """A metric as it was asked for: parameters that were left out are at their defaults."""

    name: str
    params: Mapping[str, Any]


def models_of(metrics: Iterable[MetricRequest], roots: Sequence[Path]) -> set[str]:
    """Names of the models that the metrics run; a metric that cannot be bound has none.

    roots  folders that metrics of `evaluate` may lie under
    """
    names: set[str] = set()
    for metric in metrics:
        with suppress(ReportedError):  # its evaluation says what is wrong
            names |= set(find(metric.name, roots).bind(metric.params).models)
    return names


@dataclass(frozen=True, slots=True)
class Plan(Stored):
    """One metric of an evaluation; `resolved` and `signature`, or an `error`, once it is planned.

    position   its place among the evaluation's metrics, from 0
    concluded  its result is stored, or its values were imported without rows
    """

    position: int
    name: str
    params: Mapping[str, Any]
    resolved: Mapping[str, Any] | None
    signature: Mapping[str, str] | None
    error: Mapping[str, Any] | None
    concluded: bool = False

    def bound(self, roots: Sequence[Path]) -> BoundMetric:
        """The metric with the parameters it is measured with. Raises ReportedError.

        roots  folders that metrics of `evaluate` may lie under
        """
        params = self.resolved if self.resolved is not None else self.params
        return find(self.name, roots).bind(params)


def create(db: Connection, evaluation_id: str, metrics: Sequence[MetricRequest]) -> None:
    """Store the metrics of a new evaluation."""
    rows = [
        {
            "evaluation_id": evaluation_id,
            "position": position,
            "name": metric.name,
            "params": dict(metric.params),
        }
        for position, metric in enumerate(metrics)
    ]
    db.execute(insert(evaluation_metrics), rows)


def read(db: Connection, evaluation_id: str) -> list[Plan]:
    """The evaluation's metrics, in the order asked for."""
    return read_all(db, [evaluation_id])[evaluation_id]


def read_all(db: Connection, evaluation_ids: Sequence[str]) -> dict[str, list[Plan]]:
    """The metrics of each of the evaluations."""
    table = evaluation_metrics.c
    query = (
        select(
            table.evaluation_id,
            table.position,
            table.name,
            table.params,
            table.resolved,
            table.signature,
            table.error,
            or_(table.result.is_not(None), table.reported).label("concluded"),
        )
        .where(table.evaluation_id.in_(list(evaluation_ids)))
        .order_by(table.evaluation_id, table.position)
    )
    plans: dict[str, list[Plan]] = {id: [] for id in evaluation_ids}
    for row in db.execute(query):
        plans[row.evaluation_id].append(Plan.from_row(row))
    return plans


def complete(
    db: Connection,
    evaluation_id: str,
    position: int,
    *,
    resolved: Mapping[str, Any] | None = None,
    signature: Mapping[str, str] | None = None,
    error: Mapping[str, Any] | None = None,
) -> None:
    """Store what planning made of a metric."""
    db.execute(
        update(evaluation_metrics)
        .where(
            evaluation_metrics.c.evaluation_id == evaluation_id,
            evaluation_metrics.c.position == position,
        )
        .values(resolved=resolved, signature=signature, error=error)
    )


def place(db: Connection, evaluation_id: str, name: str, project: str) -> int:
    """The place of a score of this annotation project's in the evaluation, made behind all others
    where there is none. Nothing measures it. The caller holds the evaluation's lock."""
    known = places(db, evaluation_id, project).get(name)
    if known is not None:
        return known
    table = evaluation_metrics.c
    last = db.scalar(select(func.max(table.position)).where(table.evaluation_id == evaluation_id))
    position = 0 if last is None else int(last) + 1
    values = {
        "evaluation_id": evaluation_id,
        "position": position,
        "name": name,
        "params": {"project": project},
        "reported": True,
    }
    db.execute(insert(evaluation_metrics).values(values))
    return position


def places(db: Connection, evaluation_id: str, project: str) -> dict[str, int]:
    """Where the scores of an annotation project stand in the evaluation, by name."""
    table = evaluation_metrics.c
    query = select(table.name, table.position).where(
        table.evaluation_id == evaluation_id,
        table.name.startswith(PREFIX, autoescape=True),
        table.params["project"].astext == project,
    )
    return {row.name: row.position for row in db.execute(query)}


def mark_reported(db: Connection, evaluation_id: str, position: int) -> None:
    """A metric's values were in an imported file without rows: there is nothing to measure."""
    db.execute(
        update(evaluation_metrics)
        .where(
            evaluation_metrics.c.evaluation_id == evaluation_id,
            evaluation_metrics.c.position == position,
        )
        .values(reported=True)
    )
