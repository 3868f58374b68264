"""People's ratings of an evaluation's samples: numbers of a field of their metadata, or, of a field
that begins with `human/`, what people voted in an annotation project whose scores are published."""

from __future__ import annotations

import numpy as np
from sqlalchemy import ColumnElement, Connection, select

from metrics.community.people import PREFIX
from metrics.core.beside import number
from metrics.core.names import hint
from metrics.core.packing import unpack
from metrics.core.rows import Floats
from service.datasets import store as datasets
from service.db.tables import evaluation_metrics
from service.errors import ApiError, invalid
from service.evaluations.store import Evaluation


def read(db: Connection, row: Evaluation, field: str) -> Floats:
    """(n_samples,) the ratings in the field; NaN where there is no number."""
    if field.startswith(PREFIX):
        return _voted(db, row, field)
    found = np.full(row.size, np.nan)
    for index, value in datasets.read_metadata(db, row.dataset_id, field).items():
        found[index] = number(value)
    return found


def require(db: Connection, row: Evaluation, field: str, param: str) -> Floats:
    """The same. Raises 422 where no sample has one, naming the fields that there are, or where one
    is no number."""
    found = read(db, row, field)
    if field.startswith(PREFIX):
        if not np.isfinite(found).any():
            raise _unvoted(db, row, field, param)
        return found
    given = datasets.read_metadata(db, row.dataset_id, field)
    wrong = next((index for index in given if np.isnan(found[index])), None)
    if wrong is not None:
        id = datasets.read_ids(db, row.dataset_id)[wrong]
        message = f"the rating {field!r} of the sample {id!r} is no number: {given[wrong]!r:.60}"
        raise invalid("no_rating", message, param)
    if not given:
        fields = datasets.metadata_fields(db, row.dataset_id)
        near = hint(field, fields) if fields else "no sample has any metadata"
        message = f"no sample of {row.id} has a rating {field!r} in its metadata; {near}"
        raise invalid("unknown_field", message, param)
    return found


def _voted(db: Connection, row: Evaluation, score: str) -> Floats:
    """(n_samples,) the values of a score of people's; of several projects', the last to come."""
    metric = evaluation_metrics.c
    query = select(metric.result).where(_published(row), metric.name == score)
    packed = db.scalar(query.order_by(metric.position.desc()).limit(1))
    result = unpack(packed) if packed is not None else None
    if result is None or result.per_sample is None:
        return np.full(row.size, np.nan)
    return np.asarray(result.per_sample[:, 0], np.float64)


def _unvoted(db: Connection, row: Evaluation, field: str, param: str) -> ApiError:
    there = list(db.scalars(select(evaluation_metrics.c.name).where(_published(row)).distinct()))
    near = hint(field, there) if there else "publish an annotation project of it first"
    message = f"no votes of people on {row.id} are published as {field!r}; {near}"
    return invalid("unknown_field", message, param)


def _published(row: Evaluation) -> ColumnElement[bool]:
    metric = evaluation_metrics.c
    people = metric.name.startswith(PREFIX, autoescape=True) & metric.result.is_not(None)
    return (metric.evaluation_id == row.id) & people
