"""Influence: how much each unit moves the values, to first order.

    rows       (n, C)  float64; the values are reduce(rows.sum(0)), smooth functions of the sums
    influence  (n, S)  a unit's part in the error: the sum of squares is the values' variance

Ratios do not change when all sums grow alike. So sums are moved along each column but the last, and
all together with it: what is constant in the rows then falls out exactly.

Source: Efron (1982), "The Jackknife, the Bootstrap and Other Resampling Plans", ch. 6 (the
infinitesimal jackknife).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from metrics.statistics.weights import Floats, Keys, weighted_sums

Reduce = Callable[[Floats], Floats]

STEP = 1e-4  # of a column's size: differences are then exact to 1e-8, and lose 1e-12 to rounding
UNITS = 65_536  # at a time, while products of columns are summed
NOTHING = 1e-10  # of a value, or of a column's share in it: an influence below that is rounding


def together(total: Floats) -> Floats:
    """(C,) what all columns move by while the last one moves by 1; the last one alone where its
    total is 0."""
    if len(total) and total[-1] != 0.0:
        return np.asarray(total / total[-1], np.float64)
    return np.asarray(np.arange(len(total)) == len(total) - 1, np.float64)


def slopes(reduce: Reduce, sums: Floats, shares: Floats, sizes: Floats) -> Floats:
    """(..., C, S) derivatives of the values at sums (..., C), by central differences: along each
    column, but for the last along `shares` (C,), as `together` makes them.

    sizes  (C,) the columns' sums of absolute values
    """
    steps = STEP * np.where(sizes > 0, sizes, 1.0)  # (C,)
    found = []
    for column, step in enumerate(steps.tolist()):
        moved = np.zeros(len(steps))
        moved[column] = step
        if column == len(steps) - 1:
            moved = step * shares
        with np.errstate(all="ignore"):
            found.append((reduce(sums + moved) - reduce(sums - moved)) / (2 * step))
    return np.stack(found, -2)


def coordinates(rows: Floats, shares: Floats) -> Floats:
    """(n, C) the rows in terms of these directions: the columns' sums are 0 but for the last."""
    moved = rows.copy()
    moved[:, :-1] -= rows[:, -1:] * shares[:-1]
    return moved


def influence(rows: Floats, total: Floats, reduce: Reduce) -> Floats:
    """(n, S) each unit's; NaN for a score without a derivative, 0 where it is but rounding."""
    shares = together(total)
    slope = slopes(reduce, total, shares, np.abs(rows).sum(0))  # (C, S)
    found = np.full((len(rows), slope.shape[1]), np.nan)
    smooth = np.isfinite(slope).all(0)
    found[:, smooth] = coordinates(rows, shares) @ slope[:, smooth]
    scale = (np.abs(rows) @ np.abs(slope[:, smooth])).mean(0)  # what a unit would move by its size
    small = np.abs(found[:, smooth]) <= NOTHING * scale
    found[:, smooth] = np.where(small.all(0), 0.0, found[:, smooth])
    return found


def resampled_errors(
    rows: Floats,
    keys: Keys,
    reduce: Reduce,
    sums: Floats,
    seed: int,
) -> Floats:
    """(R, S) the standard error of the values in each of the bootstrap's replicates, whose sums
    are (R, C): from the replicate's own derivatives and weighted second moments."""
    total = rows.sum(0)
    shares = together(total)
    columns = rows.shape[1]
    first, second = np.triu_indices(columns)
    products = np.zeros((len(sums), len(first)))
    for start in range(0, len(rows), UNITS):
        part = coordinates(rows[start : start + UNITS], shares)
        products += weighted_sums(
            part[:, first] * part[:, second], keys[start : start + UNITS], seed, len(sums)
        )
    moments = np.zeros((len(sums), columns, columns))
    moments[:, first, second] = products
    moments[:, second, first] = products
    slope = slopes(reduce, sums, shares, np.abs(rows).sum(0))  # (R, C, S)
    with np.errstate(all="ignore"):
        variance = np.einsum("rcs,rcs->rs", slope, np.einsum("rcd,rds->rcs", moments, slope))
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)), np.float64)
