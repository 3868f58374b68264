"""Samples in the order of a score: an argsort over the stored array, then a fetch by index."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from metrics.core.names import hint
from metrics.core.packing import unpack
from metrics.core.result import Result
from metrics.core.rows import Ints
from service.datasets import store as datasets
from service.errors import invalid
from service.evaluations import outputs
from service.evaluations import scores as results
from service.evaluations.sample_schemas import SampleOut
from service.evaluations.store import Evaluation
from service.evaluations.verdicts import verdicts
from service.evaluations.views import sample_view


def ordered_samples(
    db: Connection,
    row: Evaluation,
    *,
    sort: str | None,
    order: str | None,
    slice_: str | None,
    after: str | None,
    limit: int,
) -> list[SampleOut]:
    """Up to `limit` samples after the one with the id `after`, each with all its scores.

    sort    a score's name; None: the dataset's order
    order   "asc" or "desc", of values or of places in the dataset; None: the score's worst first
    slice_  only those with this value in their metadata, as `lang=ru`; None: all
    """
    found = _results(db, row.id)
    if sort is None:
        places = np.arange(row.size)[:: -1 if order == "desc" else 1]
    else:
        values, higher_is_better = _column(found, sort)
        places = _order(values, order == "desc" or (order is None and not higher_is_better))
    if slice_ is not None:
        places = places[np.isin(places, _members(db, row.dataset_id, slice_))]
    first = _place(db, row.dataset_id, places, after)
    chosen = places[first : first + limit].tolist()
    contents = outputs.read_at(db, row.id, chosen)
    present = [index for index in chosen if index in contents]
    said = verdicts(db, row, present)
    return [sample_view(contents[index], _scores(found, index), said[index]) for index in present]


def _results(db: Connection, evaluation: str) -> list[Result]:
    return [unpack(packed) for packed in results.results_of(db, evaluation)]


def _column(found: list[Result], sort: str) -> tuple[NDArray[np.float64], bool]:
    """The per-sample values of one score, and whether higher ones are better.

    Raises 422 with the scores there are.
    """
    names = []
    for result in found:
        for index, score in enumerate(result.scores):
            if result.per_sample is None:
                continue
            if score.name == sort:
                column: NDArray[np.float64] = result.per_sample[:, index]
                return column, score.higher_is_better
            names.append(score.name)
    message = f"no score of samples is called {sort!r}; {hint(sort, names)}"
    raise invalid("unknown_score", message, "sort")


def _order(values: NDArray[np.float64], descending: bool) -> Ints:
    """Indices by value, equal ones in the dataset's order, NaN last."""
    keys = -values if descending else values
    return np.argsort(np.where(np.isnan(keys), np.inf, keys), kind="stable")


def _members(db: Connection, dataset_id: str, slice_: str) -> list[int]:
    """Indices of a slice's samples. Raises 422 with the nearest slices where it has none."""
    key, equals, value = slice_.partition("=")
    found = datasets.read_metadata(db, dataset_id, key)
    members = [index for index, theirs in found.items() if theirs == value]
    if not equals or not members:
        nearest = hint(value, dict.fromkeys(found.values())) if found else "write it as lang=ru"
        message = f"no sample is of the slice {slice_!r}; {nearest}"
        raise invalid("unknown_slice", message, "slice")
    return members


def _place(db: Connection, dataset_id: str, order: Ints, after: str | None) -> int:
    if after is None:
        return 0
    index = datasets.find_index(db, dataset_id, after)
    places: Ints = np.flatnonzero(order == (-1 if index is None else index))
    if not places.size:
        raise invalid("unknown_cursor", f"no sample of this list has the id {after!r}", "after")
    return int(places[0]) + 1


def _scores(found: list[Result], index: int) -> dict[str, float | None]:
    shown: dict[str, float | None] = {}
    for result in found:
        if result.per_sample is None:
            continue
        for score, value in zip(result.scores, result.per_sample[index].tolist(), strict=True):
            # of two scores of one name the first is shown: it is the one that `sort` goes by
            shown.setdefault(score.name, None if math.isnan(value) else value)
    return shown
