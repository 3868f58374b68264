"""Values of other samples than the one at hand: units drawn again with weights, or left out.

rows    (n, C)  float64, finite; the values are reduce(rows.sum(0))
values  (S,)    one for each score
"""

from __future__ import annotations

import numpy as np

from metrics.statistics.influence import Reduce, resampled
from metrics.statistics.weights import Floats, Keys, totals, weighted_sums

CELLS = 4_000_000  # n * C up to which the jackknife leaves out single units; beyond, groups
GROUPS = 200
CHUNK = 1_000_000  # cells of sums reduced at a time


def evaluate(reduce: Reduce, sums: Floats) -> Floats:
    """`reduce`, its divisions by zero silent: they come out as NaN and are dealt with here."""
    with np.errstate(all="ignore"):
        return np.asarray(reduce(sums), np.float64)


def replicate(rows: Floats, keys: Keys, reduce: Reduce, seed: int, replicates: int) -> Floats:
    """(R, S) the bootstrap's values; NaN for a replicate that drew no unit, whatever `reduce` makes
    of sums that are zero."""
    sums = weighted_sums(rows, keys, seed, replicates)
    return _drawn(rows, keys, reduce, seed, sums)


def replicate_with_errors(
    rows: Floats, keys: Keys, reduce: Reduce, seed: int, replicates: int
) -> tuple[Floats, Floats]:
    """(R, S) the values of `replicate`, and (R, S) the standard error of each."""
    sums, errors = resampled(rows, keys, reduce, seed, replicates)
    return _drawn(rows, keys, reduce, seed, sums), errors


def _drawn(rows: Floats, keys: Keys, reduce: Reduce, seed: int, sums: Floats) -> Floats:
    drawn = evaluate(reduce, sums)
    if len(rows) <= 64:  # beyond, the chance is below 1e-27
        units = weighted_sums(np.ones((len(rows), 1)), keys, seed, len(sums))
        drawn[units[:, 0] == 0] = np.nan
    return drawn


def dear(rows: Floats, loss: Floats | None) -> bool:
    """Whether to leave out groups: wide rows, many of them, whose sums lose just their rows."""
    return loss is None and rows.size > CELLS and len(rows) > 2 * GROUPS


def left_out(
    rows: Floats, keys: Keys, reduce: Reduce, loss: Floats | None, grouped: bool
) -> tuple[Floats, Floats]:
    """(G, S) the values without each group of units, and (G,) the groups' sizes.

    Groups are single units, or 200 groups of nearly equal size by order of the units' keys, so
    that the order given is immaterial.
    """
    total, n = totals(rows), len(rows)
    if grouped:
        order = np.argsort(keys, kind="stable")
        starts = np.linspace(0, n, GROUPS + 1).astype(np.int64)[:-1]
        removed = np.add.reduceat(rows[order], starts, axis=0)
        sizes = np.diff(np.append(starts, n)).astype(np.float64)
    else:
        removed = rows if loss is None else loss
        sizes = np.ones(n, np.float64)
    step = max(1, CHUNK // max(1, rows.shape[1]))
    parts = [
        evaluate(reduce, total - removed[start : start + step])
        for start in range(0, len(removed), step)
    ]
    empty = np.zeros((0, len(evaluate(reduce, total))), np.float64)
    return np.concatenate([empty, *parts]), sizes


def delete_variance(values: Floats, left: Floats, sizes: Floats) -> Floats:
    """(S,) variance of `values` (S,) from the values left (G, S) without groups of the given sizes.

    With groups of one this is the usual (n-1)/n · Σ (θ_i - mean θ)². NaN with fewer than two
    groups, or where leaving one out leaves no value.
    """
    if len(sizes) < 2:
        return np.full(len(values), np.nan)
    centred, weights = _centred(values, left, sizes)
    return np.asarray((centred**2 / weights).mean(0), np.float64)


def deviations(values: Floats, left: Floats, sizes: Floats) -> Floats:
    """(G, S) what each group's absence says: the sum of squares is `delete_variance`. Linear in
    values and left: the deviations of a difference are the difference of deviations."""
    if len(sizes) < 2:
        return np.full(left.shape, np.nan)
    centred, weights = _centred(values, left, sizes)
    return np.asarray(centred / np.sqrt(weights * len(sizes)), np.float64)


def _centred(values: Floats, left: Floats, sizes: Floats) -> tuple[Floats, Floats]:
    """(G, S) the groups' pseudo-values less their centre, and (G, 1) what their squares are over:
    n / size - 1."""
    shares = (sizes.sum() / sizes)[:, None]
    pseudo = shares * values - (shares - 1) * left
    centre = len(sizes) * values - ((1 - sizes / sizes.sum())[:, None] * left).sum(0)
    return pseudo - centre, shares - 1
