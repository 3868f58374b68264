"""What settling reads of the samples beside their evidence: numbers of their metadata, or people's
votes on their outputs, in fields that begin with `human/`.

They are no part of the evidence as it is measured and kept, so a number that comes later, or is
corrected, has nothing measured again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from metrics.core.evidence import Column, Evidence
from metrics.core.metric import BoundMetric, Sample
from metrics.core.rows import Floats, Ints

PREFIX = "field:"  # of the columns
VOTED = "human/"  # begins the names of scores of people's votes, which come after an evaluation


def number(value: object) -> float:
    """A value of the metadata as a number; NaN where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return np.nan
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return np.nan
    return found if np.isfinite(found) else np.nan


def numbers_of(samples: Sequence[Sample], fields: Sequence[str]) -> dict[str, Floats]:
    """(n_samples,) of each field, NaN where a sample has no number there."""
    return {
        field: np.array([number(sample.metadata.get(field)) for sample in samples], np.float64)
        for field in fields
    }


def with_fields(
    metric: BoundMetric, evidence: Evidence, unit: Ints, numbers: Mapping[str, Floats]
) -> Evidence:
    """The evidence with a column for each field that the metric reads; `unit` (n_items,)."""
    if not metric.fields or not len(evidence):
        return evidence
    columns = {f"{PREFIX}{field}": Column(numbers[field][unit]) for field in metric.fields}
    return Evidence(evidence.columns | columns)


def read(evidence: Evidence, field: str) -> Floats:
    """(n_items,) the numbers; NaN throughout where nobody gave them."""
    name = f"{PREFIX}{field}"
    if name not in evidence:
        return np.full(len(evidence), np.nan)
    return np.asarray(evidence[name], np.float64)
