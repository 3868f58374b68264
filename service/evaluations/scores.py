"""Scores and the results behind them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, delete, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from inference.errors import ReportedError
from metrics import find
from service.db.stored import Stored
from service.db.tables import evaluation_metrics, evaluations, scores


@dataclass(frozen=True, slots=True)
class Score(Stored):
    """One score of one metric of an evaluation.

    slice     "lang=ru": over those samples; "": over the whole set
    position  the metric's place in the evaluation, `metric` its name
    resolved  the parameters that the metric was measured with
    """

    evaluation_id: str
    dataset_id: str
    position: int
    metric: str
    resolved: Mapping[str, Any] | None
    name: str
    slice: str
    value: float | None
    low: float | None
    high: float | None
    level: float
    n: int
    missing: int
    higher_is_better: bool
    interval_method: str
    signature: str | None
    warnings: list[str]
    error: Mapping[str, Any] | None
    clusters: int | None
    design_effect: float | None
    variance: Mapping[str, float] | None
    rated: int | None

    @property
    def judged(self) -> bool:
        """Whether high or low is better; False: `higher_is_better` only says how lists are
        ordered. True of a metric that is not on this machine."""
        with suppress(ReportedError):
            declared = find(self.metric).bind(self.resolved).scores
            return all(one.judged for one in declared if one.name == self.name)
        return True

    @property
    def interval(self) -> tuple[float, float] | None:
        """The confidence interval, where there is one."""
        return (self.low, self.high) if self.low is not None and self.high is not None else None


def keep_result(db: Connection, evaluation_id: str, position: int, result: bytes) -> None:
    """Store a metric's packed result."""
    db.execute(
        update(evaluation_metrics)
        .where(
            evaluation_metrics.c.evaluation_id == evaluation_id,
            evaluation_metrics.c.position == position,
        )
        .values(result=result)
    )


def read_results(
    db: Connection, places: Collection[tuple[str, int]]
) -> dict[tuple[str, int], bytes]:
    """Packed results by (evaluation, position); those that are not there are left out."""
    table = evaluation_metrics.c
    query = select(table.evaluation_id, table.position, table.result).where(
        tuple_(table.evaluation_id, table.position).in_(sorted(places)), table.result.is_not(None)
    )
    return {(row[0], row[1]): row[2] for row in db.execute(query)}


def results_of(db: Connection, evaluation_id: str) -> list[bytes]:
    """The packed results of one evaluation, in the order of its metrics."""
    table = evaluation_metrics.c
    query = select(table.result).where(
        table.evaluation_id == evaluation_id, table.result.is_not(None)
    )
    return list(db.scalars(query.order_by(table.position)))


def replace_scores(
    db: Connection,
    evaluation_id: str,
    rows: Sequence[Mapping[str, Any]],
    kept: Collection[int] = (),
) -> None:
    """All scores of an evaluation, at once; called again, it leaves the same.

    Those of the metrics at the positions in `kept` stay as they are.
    """
    replaced = scores.c.position.not_in(list(kept))
    db.execute(delete(scores).where(scores.c.evaluation_id == evaluation_id, replaced))
    if rows:
        db.execute(insert(scores), [{"evaluation_id": evaluation_id, **row} for row in rows])


def read_scores(db: Connection, evaluation_ids: Sequence[str]) -> dict[str, list[Score]]:
    """Scores of each evaluation, whole set first, then slices, with the metric's name."""
    query = (
        listing()
        .where(scores.c.evaluation_id.in_(list(evaluation_ids)))
        .order_by(scores.c.evaluation_id, scores.c.slice, scores.c.position, scores.c.name)
    )
    found: dict[str, list[Score]] = {id: [] for id in evaluation_ids}
    for row in db.execute(query):
        found[row.evaluation_id].append(Score.from_row(row))
    return found


def listing() -> Select[Any]:
    """The query for all columns of `Score`."""
    return (
        select(
            scores,
            evaluations.c.dataset_id,
            evaluation_metrics.c.name.label("metric"),
            evaluation_metrics.c.resolved,
        )
        .join(evaluations, evaluations.c.id == scores.c.evaluation_id)
        .join(
            evaluation_metrics,
            (evaluation_metrics.c.evaluation_id == scores.c.evaluation_id)
            & (evaluation_metrics.c.position == scores.c.position),
        )
    )
