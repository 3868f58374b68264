"""People's ratings of an evaluation's samples: numbers of a field of their metadata."""

from __future__ import annotations

import numpy as np
from sqlalchemy import Connection

from metrics.core.beside import number
from metrics.core.names import hint
from metrics.core.rows import Floats
from service.datasets import store as datasets
from service.errors import invalid
from service.evaluations.store import Evaluation


def read(db: Connection, row: Evaluation, field: str) -> Floats:
    """(n_samples,) the ratings in the field; NaN where there is no number."""
    found = np.full(row.size, np.nan)
    for index, value in datasets.read_metadata(db, row.dataset_id, field).items():
        found[index] = number(value)
    return found


def require(db: Connection, row: Evaluation, field: str, param: str) -> Floats:
    """The same. Raises 422 where no sample has one, naming the fields that there are, or where one
    is no number."""
    found = read(db, row, field)
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
