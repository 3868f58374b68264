"""Rejection sampling: of each sample's outputs the best one by a score, as a dataset to train on.

An output's value is what the metric says of it alone, as when a reward is taken in training. An
output that could not be measured, or is blank, is never the best; of equal ones the first is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sqlalchemy import Connection

from inference.chat import Message
from inference.errors import ReportedError
from inference.protocols.conversation import turns_of, with_system
from metrics import find
from metrics.core.metric import BoundMetric
from metrics.core.names import hint
from metrics.core.rows import Floats
from service.datasets import store as datasets
from service.datasets.schemas import checked
from service.datasets.store import Dataset
from service.errors import ApiError, invalid
from service.evaluations import outputs, plans, shards
from service.evaluations.schemas import BestIn
from service.evaluations.store import Evaluation
from service.settings import Settings

MOST_OUTPUTS = 100_000  # of an evaluation: their evidence is settled while the request waits


def put_best(
    db: Connection, settings: Settings, row: Evaluation, body: BestIn
) -> tuple[Dataset, bool]:
    """A version of the dataset `body.name`, of kind sft, and whether it was made now.

    Raises 409 for an evaluation that has not succeeded or has more than MOST_OUTPUTS, 422 for a
    score that outputs do not have by themselves, and where no output is left.
    """
    if row.status != "succeeded":
        raise ApiError(409, "not_succeeded", f"the evaluation is {row.status}")
    drawn = sum(outputs.counts(db, row.id).values())
    if drawn > MOST_OUTPUTS:
        message = f"the evaluation has {drawn:,} outputs, and the best are chosen of up to "
        raise ApiError(409, "too_many_outputs", f"{message}{MOST_OUTPUTS:,}: evaluate in parts")
    texts = outputs.read(db, row.id)
    values, sign = _values(db, settings, row, body.score)
    least = -np.inf if body.at_least is None else sign * body.at_least
    records = list(checked(_records(db, row, texts, sign * values, least), "sft", "samples"))
    if not records:
        raise invalid("no_outputs", "no sample has an output that is good enough", "at_least")
    return datasets.put(db, body.name, "sft", records)


def _values(
    db: Connection, settings: Settings, row: Evaluation, score: str
) -> tuple[Floats, float]:
    """(N,) of all outputs, in the order of their samples, and -1 where less is better, else 1."""
    names: list[str] = []
    for one in plans.read(db, row.id):
        if not one.concluded:
            continue
        metric = find(one.name, settings.metric_roots).bind(one.resolved or one.params)
        if metric.set_level:
            continue
        names += metric.score_names
        if score not in metric.score_names:
            continue
        column = metric.score_names.index(score)
        values = _alone(db, row, metric, one.position)[:, column]
        return values, 1.0 if metric.scores[column].higher_is_better else -1.0
    message = f"no score of outputs is called {score!r}; {hint(score, names)}"
    raise invalid("unknown_score", message, "score")


def _alone(db: Connection, row: Evaluation, metric: BoundMetric, position: int) -> Floats:
    """(N, scores) of every output as if it were its sample's only one."""
    measured = shards.read(db, row.id, position)
    if not measured:
        message = f"{metric.name} keeps nothing of single outputs once it is concluded"
        raise invalid("no_evidence", message, "score")
    try:
        found = shards.joined(measured)
        settled = metric.settle(found, np.arange(len(found), dtype=np.int64))
    except (ReportedError, ValueError) as error:
        message = f"{metric.name} has no value for an output alone: {error}"
        raise invalid("no_value", message, "score") from None
    return np.asarray(metric.per_sample(settled.rows), np.float64)


def _records(
    db: Connection,
    row: Evaluation,
    texts: dict[int, list[str]],
    values: Floats,
    least: float,
) -> Iterator[dict[str, Any]]:
    system = (row.generation or {}).get("system")
    first = 0
    for index, content in enumerate(datasets.read_records(db, row.dataset_id)):
        drawn = texts.get(index, [])
        own = values[first : first + len(drawn)]
        first += len(drawn)
        fit = np.isfinite(own) & np.array([bool(text.strip()) for text in drawn], bool)
        fit &= own >= least
        if not fit.any() or not (content.get("prompt") or content.get("messages")):
            continue
        best = drawn[int(np.argmax(np.where(fit, own, -np.inf)))]
        record = {"id": content["id"], "metadata": content.get("metadata", {})}
        if system is None and content.get("prompt"):
            yield record | {"prompt": content["prompt"], "completion": best}
            continue
        turns = [*with_system(turns_of(content), system), Message("assistant", best)]
        said = [{"role": turn.role, "content": turn.content} for turn in turns]
        yield record | {"messages": said}
