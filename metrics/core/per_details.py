"""Metrics of what making an output took: a number of its details, averaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps

import numpy as np

from inference.protocol import Models
from metrics.core.details import CODES, Details
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, P, Score, Source
from metrics.core.rows import mean

UNKNOWN = 1


def per_details(
    *,
    name: str,
    about: str,
    formula: str,
    avoid: str,
    params: type[P],
    score: Score,
    source: Source,
    unknown: str,
    take: Callable[[Details], float | None],
) -> Metric[P]:
    """A metric whose value is the mean over samples of one number of the details.

    unknown  what is to be said of outputs without the number
    take     the number; None where it is not known
    """

    @wraps(take)  # the metric's conventions are those of the module that `take` stands in
    def measure(items: Sequence[Item], chosen: P, models: Models) -> Evidence:
        values = [take(item.details) if item.details else None for item in items]
        rows = np.array([(value or 0.0, 1.0) for value in values])
        flags = [
            0 if value is not None else _why(item.details)
            for value, item in zip(values, items, strict=True)
        ]
        return Evidence.of_rows(rows, flags)

    return Metric(
        name=name,
        version=1,
        about=about,
        formula=formula,
        avoid=avoid,
        params=params,
        reads=("details",),
        needs=("details",),
        scores=(score,),
        interval="bootstrap_t",
        pooling="average",
        source=source,
        measure=measure,
        reduce=mean,
        flags={UNKNOWN: Flag(unknown, missing=True)},
    )


def _why(details: Details | None) -> int:
    """The flag of an output without the number: never asked for, unanswered, or not told."""
    return CODES[details.failure] if details is not None and details.failure else UNKNOWN
