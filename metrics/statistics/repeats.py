"""Repeats: several outputs for one question, and what each kind of noise adds to a mean.

    values  (M, S)  each output's own value
    unit    (M,)    its question, 0..N-1
    value   (S,)    the mean over questions of the means over their outputs

The variance of the value is that of the questions that were asked plus that of the outputs that
were drawn. Twice the outputs a question halve the second; twice the questions halve both. One-way
random effects, by unweighted means: with equal counts that is the analysis of variance, and REML
where no component is below zero.

Sources: Searle, Casella & McCulloch (1992), "Variance Components", ch. 3 and 5; Miller (2024),
"Adding Error Bars to Evals".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.clusters import Clusters
from metrics.statistics.weights import Floats


@dataclass(frozen=True, slots=True)
class Split:
    """(S,) the parts of the value's variance, its standard error squared: of questions, of draws.

    judge  of `draws`, the part of who values the outputs; None where that is not known

    NaN where nothing can be said: no question has two outputs, or an output has no value.
    """

    questions: Floats
    draws: Floats
    judge: Floats | None = None


def split(values: Floats, unit: NDArray[np.int64], found: Clusters | None = None) -> Split:
    """The parts of the variance; every question 0..N-1 has outputs.

    found  the clusters the N questions are of: their variance is then that over clusters
    """
    counts = np.bincount(unit).astype(np.float64)  # (N,)
    n, spare = len(counts), float(len(unit) - len(counts))
    groups = n if found is None else len(found.names)
    nothing = np.full(values.shape[1], np.nan)
    if spare < 1 or groups < 2:
        return Split(nothing, nothing)
    means = np.stack([np.bincount(unit, column) for column in values.T], 1) / counts[:, None]
    within = ((values - means[unit]) ** 2).sum(0) / spare
    draws = within * (1 / counts).sum() / n**2
    influence = (means - means.mean(0)) / n
    parts = influence if found is None else found.pooled(influence)
    whole = (parts**2).sum(0) * groups / (groups - 1)
    return Split(np.maximum(whole - draws, 0.0), np.asarray(draws, np.float64))


def of_judge(values: Floats, item: NDArray[np.int64], unit: NDArray[np.int64]) -> Floats:
    """(S,) what draws of one output's value add to the variance of the mean over questions.

    values  (M, S) of draws
    item    (M,) the output that each is of, 0..K-1: every output has draws
    unit    (K,) the question of each output
    """
    counts = np.bincount(item).astype(np.float64)  # (K,)
    spare = float(len(item) - len(counts))
    if spare < 1:
        return np.full(values.shape[1], np.nan)
    means = np.stack([np.bincount(item, column) for column in values.T], 1) / counts[:, None]
    within = ((values - means[item]) ** 2).sum(0) / spare
    shares = 1 / np.bincount(unit)[unit] / len(np.unique(unit))  # of an output in the mean
    return np.asarray(within * (shares**2 / counts).sum(), np.float64)
