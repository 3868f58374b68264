"""From a judge's answers to rows, and from their sums to scores.

    values  (N, J, K, R, O)  of N outputs, by judge, criterion, draw and order; NaN is none

A row of a unit: the values of K criteria, whether each is there, PPI++'s columns of those with
people's ratings, and 1.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np

from metrics.core.evidence import Evidence
from metrics.core.rows import Floats, Ints
from metrics.judging.params import JudgeParams
from metrics.statistics import ppi


def score_names(params: JudgeParams) -> tuple[str, ...]:
    """The judge's own scores: of a checklist the share of yes, then its named questions."""
    if params.mode == "checklist":
        named = [name for name, text in params.criteria.items() if name != text]
        return ("judge", *(f"judge/{name}" for name in named))
    return tuple(f"judge/{name}" if name else "judge" for name in params.questions)


def calibrated(params: JudgeParams) -> dict[str, str]:
    """The metadata field with people's ratings of each score that is corrected by them."""
    if params.calibrate is None:
        return {}
    ratings = params.calibrate.ratings
    if isinstance(ratings, str):
        return {"judge": ratings}
    return {f"judge/{name}": field for name, field in ratings.items()}


def of_draws(values: Floats) -> Floats:
    """(N, K, R) each draw's value: the mean over the judges that gave one, in every order."""
    return _mean(values.mean(-1), 1)


def of_items(values: Floats) -> Floats:
    """(N, K) each output's value: the mean over judges of the means over their draws."""
    return _mean(_mean(values.mean(-1), 3), 1)


def of_scores(criteria: Floats, params: JudgeParams) -> Floats:
    """(..., S) the judge's own scores from values of the criteria (..., K)."""
    if params.mode != "checklist":
        return criteria
    named = [at for at, (name, text) in enumerate(params.criteria.items()) if name != text]
    return np.concatenate([_mean(criteria, -1)[..., None], criteria[..., named]], -1)


def rows(values: Floats, unit: Ints, ratings: Mapping[str, Floats], params: JudgeParams) -> Floats:
    """(n_units, C) as above; `ratings` (N,) by field, the same for all outputs of a unit."""
    own = of_scores(of_items(values), params)  # (N, S)
    there = np.isfinite(own)
    sums = np.stack([np.bincount(unit, column) for column in np.where(there, own, 0.0).T], 1)
    counts = np.stack([np.bincount(unit, column) for column in there.T], 1)
    means = sums / np.maximum(counts, 1.0)
    known = (counts > 0).astype(np.float64)
    parts = [means, known]
    first = np.zeros(len(means), np.int64)
    first[unit[::-1]] = np.arange(len(unit))[::-1]
    names = score_names(params)
    for name, field in calibrated(params).items():
        at = names.index(name)
        rated = np.where(known[:, at] > 0, ratings[field][first], np.nan)
        parts.append(ppi.rows(means[:, at], rated) * known[:, at, None])
    return np.concatenate([*parts, np.ones((len(means), 1))], 1)


def reduce(sums: Floats, params: JudgeParams) -> Floats:
    """(..., n_scores) of sums (..., C) of rows."""
    count = len(score_names(params))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = [sums[..., :count] / sums[..., count : 2 * count]]
        for at in range(len(calibrated(params))):
            start = 2 * count + at * ppi.COLUMNS
            own = sums[..., start : start + ppi.COLUMNS]
            people = own[..., ppi.RATING] / own[..., ppi.RATED]
            found.append(np.stack([ppi.of_sums(own), people], -1))
    return np.concatenate(found, -1)


def counts(sums: Floats, params: JudgeParams) -> Floats:
    """(n_scores, 2) of sums (C,): people's mean is of those that they rated, the calibrated one of
    all that the judge has a value of."""
    own = len(score_names(params))
    found = np.full((own + 2 * len(calibrated(params)), 2), np.nan)
    for at in range(len(calibrated(params))):
        judged, *_ = part = sums[2 * own + at * ppi.COLUMNS :][: ppi.COLUMNS]
        rated = part[ppi.RATED]
        found[own + 2 * at : own + 2 * at + 2] = (judged, rated), (rated, rated)
    return found


def fewer(sums: Floats, params: JudgeParams) -> Floats:
    """(n, n_scores) of rows of single units: a unit alone has nothing to be corrected by."""
    found = reduce(sums, params)
    count = len(score_names(params))
    found[..., count::2] = np.nan
    return found


def draws(evidence: Evidence, params: JudgeParams) -> tuple[Floats, Ints]:
    """(M, n_scores) the draws' own values, those without one left out, and the item (M,) of each;
    none of a single draw."""
    total = len(score_names(params)) + 2 * len(calibrated(params))
    if params.repeats == 1:
        return np.zeros((0, total)), np.zeros(0, np.int64)
    each = of_draws(evidence["values"].astype(np.float64))  # (N, K, R)
    own = of_scores(np.moveaxis(each, 2, 1), params)  # (N, R, S)
    flat = own.reshape(-1, own.shape[-1])
    kept = np.flatnonzero(np.isfinite(flat).all(1))
    beside = np.full((len(kept), total - flat.shape[1]), np.nan)
    return np.concatenate([flat[kept], beside], 1), (kept // params.repeats).astype(np.int64)


def _mean(values: Floats, axis: int) -> Floats:
    """The mean of those that are there; NaN where none is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmean(values, axis=axis), np.float64)
