"""The commonest kind of metric: a number or several for each output, averaged.

`per_output` makes its declaration of one function of one output. What measures many outputs at a
time, flags some of them or looks at the whole set is declared as a `Metric`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps

import numpy as np
from numpy.typing import DTypeLike

from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Given, IntervalMethod, Item, Metric, P, Reads, Score, Source, given
from metrics.core.rows import Pooling, mean

Values = float | tuple[float, ...]


def per_output(
    *,
    name: str,
    version: int,
    about: str,
    params: type[P],
    reads: tuple[Reads, ...],
    scores: Given[Score, P],
    source: Source,
    measure: Callable[[Item, P, Models], Values],
    formula: str = "",
    avoid: str = "",
    needs: Given[Reads, P] | None = None,
    dtype: DTypeLike = np.float64,
    interval: IntervalMethod = "bootstrap_t",
    pooling: Pooling = "average",
    libraries: Given[str, P] = (),
    models: Given[str, P] = (),
    cached: bool = False,
) -> Metric[P]:
    """A metric of rows (value, ..., 1), whose value is the mean over samples.

    measure   the value of one output, or one for each of `scores`; NaN where there is none: the
              sample then counts as missing
    needs     what every sample must carry; None: all that is read beside the output
    dtype     of the values, which are stored: integers are smaller, and add up exactly
    interval  "wilson" for values that are often 0 or 1
    pooling   a sample's several outputs: each counts within the sample ("average"), or each counts
              as much as a sample of its own ("pool")

    The other fields are those of `Metric`.
    """

    @wraps(measure)  # the metric's conventions are those of the module that `measure` stands in
    def measure_all(items: Sequence[Item], chosen: P, models: Models) -> Evidence:
        rows = np.ones((len(items), len(given(scores, chosen)) + 1), dtype)
        for index, item in enumerate(items):
            values = measure(item, chosen, models)
            rows[index] = (*values, 1) if isinstance(values, tuple) else (values, 1)
        return Evidence.of_rows(rows)

    beside = tuple(field for field in reads if field != "output")
    return Metric(
        name=name,
        version=version,
        about=about,
        formula=formula,
        avoid=avoid,
        params=params,
        reads=reads,
        needs=beside if needs is None else needs,
        scores=scores,
        interval=interval,
        pooling=pooling,
        source=source,
        measure=measure_all,
        reduce=mean,
        libraries=libraries,
        models=models,
        cached=cached,
    )
