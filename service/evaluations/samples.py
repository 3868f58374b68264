"""Samples in the order of a score: an argsort over the stored array, then a fetch by index."""

from __future__ import annotations

import difflib
import math

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from metrics.core.packing import unpack
from metrics.core.result import Result
from metrics.core.rows import Ints
from service.datasets import store as datasets
from service.errors import ApiError
from service.evaluations import outputs
from service.evaluations import scores as results
from service.evaluations.schemas import SampleOut
from service.evaluations.store import Evaluation
from service.evaluations.views import sample_view


def ordered_samples(
    db: Connection,
    row: Evaluation,
    *,
    sort: str | None,
    descending: bool,
    after: str | None,
    limit: int,
) -> list[SampleOut]:
    """Up to `limit` samples after the one with the id `after`, each with all its scores."""
    found = _results(db, row.id)
    if sort is None:
        order = np.arange(row.size)
        order = order[::-1] if descending else order
    else:
        order = _order(_column(found, sort), descending)
    first = _place(db, row.dataset_id, order, after)
    chosen = order[first : first + limit].tolist()
    contents = outputs.read_at(db, row.id, chosen)
    return [
        sample_view(contents[index], _scores(found, index)) for index in chosen if index in contents
    ]


def _results(db: Connection, evaluation: str) -> list[Result]:
    return [unpack(packed) for packed in results.results_of(db, evaluation)]


def _column(found: list[Result], sort: str) -> NDArray[np.float64]:
    """The per-sample values of one score. Raises 422 with the scores there are."""
    names = []
    for result in found:
        for index, score in enumerate(result.scores):
            if result.per_sample is None:
                continue
            if score.name == sort:
                column: NDArray[np.float64] = result.per_sample[:, index]
                return column
            names.append(score.name)
    near = difflib.get_close_matches(sort, names, n=3, cutoff=0.4) or names
    hint = f"; there are {', '.join(near)}" if near else "; none yet"
    raise ApiError(422, "unknown_score", f"no per-sample score {sort!r}{hint}", "sort")


def _order(values: NDArray[np.float64], descending: bool) -> Ints:
    """Indices by value, equal ones in the dataset's order, NaN last."""
    keys = -values if descending else values
    return np.argsort(np.where(np.isnan(keys), np.inf, keys), kind="stable")


def _place(db: Connection, dataset_id: str, order: Ints, after: str | None) -> int:
    if after is None:
        return 0
    index = datasets.find_index(db, dataset_id, after)
    if index is None:
        raise ApiError(422, "unknown_cursor", f"no sample has the id {after!r}", "after")
    return int(np.flatnonzero(order == index)[0]) + 1


def _scores(found: list[Result], index: int) -> dict[str, float | None]:
    shown: dict[str, float | None] = {}
    for result in found:
        if result.per_sample is None:
            continue
        for score, value in zip(result.scores, result.per_sample[index].tolist(), strict=True):
            # of two scores of one name the first is shown: it is the one that `sort` goes by
            shown.setdefault(score.name, None if math.isnan(value) else value)
    return shown
