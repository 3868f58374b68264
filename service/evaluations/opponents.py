"""Other systems' outputs, for metrics that compare with them: found, checked, given to samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select

from metrics.core.metric import BoundMetric, Sample
from service.datasets import store as datasets
from service.db.tables import evaluations, outputs, records
from service.errors import invalid
from service.evaluations.checks import RequestedMetric
from service.evaluations.plans import MetricRequest


def resolve(
    db: Connection, requested: Sequence[RequestedMetric], dataset_id: str
) -> list[MetricRequest]:
    """The metrics as they are stored: a system that is named becomes the evaluation that is meant.

    Raises 422 where there is none, or it has no output for a record of the dataset.
    """
    found = []
    for index, one in enumerate(requested):
        opponent = one.metric.opponent
        if opponent is None:
            found.append(one.request)
            continue
        param = f"metrics[{index}].params.{opponent.param}"
        if opponent.evaluation is not None:
            id, where = opponent.evaluation, f"{param}.evaluation"
        else:
            id, where = _newest(db, opponent.system or "", dataset_id, param), f"{param}.system"
        _check(db, id, dataset_id, where)
        params = {**one.request.params, opponent.param: {"evaluation": id}}
        found.append(MetricRequest(one.request.name, params))
    return found


def opposed(db: Connection, metric: BoundMetric, samples: Sequence[Sample]) -> list[Sample]:
    """The samples with the other system's first outputs, where the metric wants them."""
    opponent = metric.opponent
    if opponent is None:
        return list(samples)
    texts = _texts(db, opponent.evaluation or "", [sample.id for sample in samples])
    return [replace(sample, opponent=texts.get(sample.id)) for sample in samples]


def _newest(db: Connection, system: str, dataset_id: str, param: str) -> str:
    dataset = datasets.require(db, dataset_id)
    table = evaluations.c
    query = (
        select(table.id)
        .where(table.system == system, table.dataset_id == dataset_id)
        .where(table.status == "succeeded")
        .order_by(table.created_at.desc(), table.id.desc())
        .limit(1)
    )
    found: str | None = db.scalar(query)
    if found is None:
        message = f"there is no succeeded evaluation of {system!r:.100} on {dataset.name}"
        raise invalid("unknown_system", f"{message}@{dataset.version}", f"{param}.system")
    return found


def _check(db: Connection, id: str, dataset_id: str, param: str) -> None:
    if db.scalar(select(evaluations.c.id).where(evaluations.c.id == id)) is None:
        raise invalid("evaluation_not_found", f"there is no evaluation {id!r:.100}", param)
    ids = datasets.read_ids(db, dataset_id)
    texts = _texts(db, id, ids)
    lacking = [one for one in ids if one not in texts]
    if lacking:
        shown = ", ".join(map(repr, lacking[:5])) + (", …" if len(lacking) > 5 else "")
        message = f"the evaluation {id} has no output for {len(lacking)} of {len(ids)} records"
        raise invalid("missing_outputs", f"{message}: {shown}", param)


def _texts(db: Connection, evaluation: str, ids: Sequence[str]) -> Mapping[str, str]:
    """The first output of each record, by the record's id."""
    first: Any = outputs.c.texts[1]
    query = (
        select(records.c.record_id, first)
        .select_from(evaluations)
        .join(outputs, outputs.c.evaluation_id == evaluations.c.id)
        .join(
            records,
            (records.c.dataset_id == evaluations.c.dataset_id)
            & (records.c.index == outputs.c.index),
        )
        .where(evaluations.c.id == evaluation, records.c.record_id.in_(list(ids)))
    )
    return {row[0]: row[1] for row in db.execute(query) if row[1] is not None}
