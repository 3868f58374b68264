"""Evaluations that no worker measured: their results are computed here and stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, event

from inference.protocol import NoModels
from metrics import find
from metrics.core.metric import Sample
from metrics.core.packing import pack
from metrics.core.result import Result
from metrics.core.run import score
from service.datasets import store as datasets
from service.evaluations import scores as results
from service.evaluations import store as evaluations
from service.evaluations.plans import MetricRequest
from service.evaluations.store import Task

T = TypeVar("T")


def create(
    db: Connection,
    system: str,
    records: Sequence[dict[str, Any]],
    metrics: Sequence[str],
    on_end: Task | None = None,
) -> str:
    """A queued evaluation on a dataset of these records; returns its id."""
    dataset, _ = datasets.put(db, "votes", "eval", records)
    return evaluations.create(
        db,
        system=system,
        dataset_id=dataset.id,
        size=len(records),
        metrics=[MetricRequest(name, {}) for name in metrics],
        model=None,
        generation=None,
        slices=[],
        seed=0,
        replicates=100,
        level=0.95,
        on_end=on_end,
    )


def succeed(
    db: Connection,
    evaluation: str,
    records: Sequence[dict[str, Any]],
    metrics: Sequence[str],
    words: int,
) -> None:
    """The evaluation succeeds; its outputs are the first words of the references."""
    samples = [
        Sample.of(one, [" ".join(one["references"][0].split()[:words])], str(at + 1))
        for at, one in enumerate(records)
    ]
    keep(
        db,
        evaluation,
        [score(samples, [find(name).bind()], NoModels(), replicates=100)[0] for name in metrics],
    )


def keep(db: Connection, evaluation: str, found: Sequence[Result]) -> None:
    """The evaluation succeeds with these results, one a metric."""
    rows: list[dict[str, Any]] = []
    for position, result in enumerate(found):
        results.keep_result(db, evaluation, position, pack(result))
        for value in result.scores:
            low, high = value.interval or (None, None)
            rows.append(
                {
                    **{"position": position, "name": value.name, "slice": "", "value": value.value},
                    **{"low": low, "high": high, "level": value.level, "n": value.n},
                    **{"missing": value.missing, "higher_is_better": value.higher_is_better},
                    **{"interval_method": value.interval_method, "signature": value.signature},
                    **{"warnings": [], "error": None},
                }
            )
    results.replace_scores(db, evaluation, rows)
    evaluations.lock(db, evaluation)
    evaluations.finish(db, evaluation, "succeeded", {})


def statements(engine: Engine, read: Callable[[Connection], T]) -> tuple[int, T]:
    """How many statements `read` takes, and what it returns."""
    seen: list[str] = []

    def note(*args: Any) -> None:
        seen.append(args[2])

    with engine.connect() as db:
        event.listen(engine, "before_cursor_execute", note)
        try:
            answer = read(db)
        finally:
            event.remove(engine, "before_cursor_execute", note)
    return len(seen), answer
