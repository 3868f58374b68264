"""A sample's several outputs: what they add to a score's variance (metrics.statistics.repeats).

Scores that are means of their outputs have such a part. Which are is seen by trying: each output is
settled as if it were its sample's only one, and the means have to be the samples' own values.
"""

from __future__ import annotations

import numpy as np

from inference.errors import ReportedError
from metrics.core.evidence import Evidence
from metrics.core.metric import BoundMetric
from metrics.core.rows import Floats, Ints
from metrics.statistics.clusters import Clusters
from metrics.statistics.repeats import Split, of_judge, split
from metrics.statistics.resampling import evaluate
from metrics.statistics.weights import totals


def parts(
    metric: BoundMetric,
    evidence: Evidence,
    unit: Ints,
    rows: Floats,
    found: Clusters | None,
) -> Split | None:
    """The parts of each score's variance, NaN for those that have none; None where no score has.

    evidence  of the outputs that were measured
    unit      which of the units (n,) each is of; every unit has outputs
    rows      (n, C) of the units
    """
    if metric.set_level or len(rows) < 2:
        return None
    drawn = metric.metric.draws(evidence, metric.params) if metric.metric.draws else None
    if len(unit) == len(rows):
        if drawn is None or not len(drawn[1]):
            return None
        values, item = drawn
        whole = _of_means(metric, values, unit[item], rows, found)
        return Split(whole.questions, whole.draws, whole.draws) if whole is not None else None
    alone = _alone(metric, evidence)
    own = _of_means(metric, alone, unit, rows, found) if alone is not None else None
    if own is None or drawn is None or len(np.unique(drawn[1])) < len(unit):
        return own
    judge = of_judge(*drawn, unit)
    return Split(own.questions, own.draws, np.where(np.isnan(own.draws), np.nan, judge))


def _of_means(
    metric: BoundMetric, values: Floats, unit: Ints, rows: Floats, found: Clusters | None
) -> Split | None:
    """The parts of those scores that are means of the values (M, S), whose units are `unit`."""
    if len(np.unique(unit)) < len(rows):
        return None
    sums = np.stack([np.bincount(unit, column) for column in values.T], 1)
    means = sums / np.bincount(unit)[:, None]
    whole = evaluate(metric.reduce, totals(rows))
    is_mean = np.isclose(means, metric.per_sample(rows), rtol=1e-6).all(0)
    is_mean &= np.isclose(means.mean(0), whole, rtol=1e-6)
    if not is_mean.any():
        return None
    found_parts = split(np.where(is_mean, values, 0.0), unit, found)
    return Split(
        np.where(is_mean, found_parts.questions, np.nan),
        np.where(is_mean, found_parts.draws, np.nan),
    )


def _alone(metric: BoundMetric, evidence: Evidence) -> Floats | None:
    """(M, S) each output's own values; None where an output has none alone."""
    if metric.metric.single is not None:
        return metric.metric.single(evidence, metric.params)
    try:
        settled = metric.settle(evidence, np.arange(len(evidence), dtype=np.int64))
    except (ReportedError, ValueError):  # such as pass@10 of one output
        return None
    return np.asarray(metric.per_sample(settled.rows), np.float64)
