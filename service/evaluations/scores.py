"""Scores and the rows behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from service.db.tables import datasets, evaluation_metrics, evaluations, scores


def keep_result(db: Connection, evaluation_id: str, position: int, result: bytes) -> None:
    db.execute(
        update(evaluation_metrics)
        .where(
            evaluation_metrics.c.evaluation_id == evaluation_id,
            evaluation_metrics.c.position == position,
        )
        .values(result=result)
    )


def read_result(db: Connection, evaluation_id: str, position: int) -> bytes | None:
    query = select(evaluation_metrics.c.result).where(
        evaluation_metrics.c.evaluation_id == evaluation_id,
        evaluation_metrics.c.position == position,
    )
    return db.scalar(query)


def replace_scores(db: Connection, evaluation_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """All scores of an evaluation, at once; called again, it leaves the same."""
    db.execute(delete(scores).where(scores.c.evaluation_id == evaluation_id))
    if rows:
        db.execute(insert(scores), [{"evaluation_id": evaluation_id, **row} for row in rows])


def read_scores(db: Connection, evaluation_ids: Sequence[str]) -> dict[str, list[Any]]:
    """Scores of each evaluation, whole set first, then slices, with the metric's name."""
    query = (
        select(scores, evaluation_metrics.c.name.label("metric"), evaluation_metrics.c.resolved)
        .join(
            evaluation_metrics,
            (evaluation_metrics.c.evaluation_id == scores.c.evaluation_id)
            & (evaluation_metrics.c.position == scores.c.position),
        )
        .where(scores.c.evaluation_id.in_(list(evaluation_ids)))
        .order_by(scores.c.evaluation_id, scores.c.slice, scores.c.position, scores.c.name)
    )
    found: dict[str, list[Any]] = {one: [] for one in evaluation_ids}
    for row in db.execute(query):
        found[row.evaluation_id].append(row)
    return found


def board(db: Connection, dataset_id: str, name: str, slice_: str) -> list[Any]:
    """Every value of one score on one dataset version, newest evaluation first."""
    query = (
        select(
            scores,
            evaluations.c.system,
            evaluations.c.finished_at,
            evaluation_metrics.c.name.label("metric"),
            evaluation_metrics.c.resolved,
        )
        .join(evaluations, evaluations.c.id == scores.c.evaluation_id)
        .join(
            evaluation_metrics,
            (evaluation_metrics.c.evaluation_id == scores.c.evaluation_id)
            & (evaluation_metrics.c.position == scores.c.position),
        )
        .where(
            evaluations.c.dataset_id == dataset_id,
            evaluations.c.status == "succeeded",
            scores.c.name == name,
            scores.c.slice == slice_,
            scores.c.value.is_not(None),
        )
        .order_by(evaluations.c.id.desc())
    )
    return list(db.execute(query))


def board_names(db: Connection, dataset_id: str) -> list[str]:
    """Scores that a board of this dataset version could rank by."""
    query = (
        select(scores.c.name)
        .join(evaluations, evaluations.c.id == scores.c.evaluation_id)
        .where(evaluations.c.dataset_id == dataset_id, scores.c.value.is_not(None))
        .distinct()
    )
    return sorted(db.scalars(query))


def boards(db: Connection) -> list[Any]:
    """Dataset versions with succeeded evaluations, and which scores they have."""
    query = (
        select(datasets.c.id, datasets.c.name, datasets.c.version, scores.c.name.label("score"))
        .join(evaluations, evaluations.c.dataset_id == datasets.c.id)
        .join(scores, scores.c.evaluation_id == evaluations.c.id)
        .where(scores.c.value.is_not(None), scores.c.slice == "")
        .distinct()
        .order_by(datasets.c.name, datasets.c.version.desc(), scores.c.name)
    )
    return list(db.execute(query))
