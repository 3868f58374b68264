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
from numpy.typing import NDArray

from metrics.statistics.weights import Floats, Keys, Table, tables_summed

Reduce = Callable[[Floats], Floats]

STEP = 1e-4  # of a column's size: differences are then exact to 1e-8, and lose 1e-12 to rounding
NOTHING = 1e-10  # of a value, or of a column's share in it: an influence below that is rounding
PART = 1 << 16  # rows at a time
DOUBTFUL = 1e-7  # of the same: may be what differences lack, if all units' are below that


def together(total: Floats) -> Floats:
    """(C,) what all columns move by while the last one moves by 1; the last one alone where its
    total is 0."""
    if len(total) and total[-1] != 0.0:
        return np.asarray(total / total[-1], np.float64)
    return np.asarray(np.arange(len(total)) == len(total) - 1, np.float64)


def slopes(
    reduce: Reduce, sums: Floats, shares: Floats, sizes: Floats, width: float = STEP
) -> Floats:
    """(..., C, S) derivatives of the values at sums (..., C), by central differences: along each
    column, but for the last along `shares` (C,), as `together` makes them.

    sizes  (C,) the columns' sums of absolute values
    width  of a step, in these sizes
    """
    steps = width * np.where(sizes > 0, sizes, 1.0)  # (C,)
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
    """(n, S) each unit's; NaN for a score without a derivative, 0 where it is but rounding.

    A ratio of two columns that is the same for all units is moved by none of them, yet differences
    along its denominator are exact to 1e-8 only. Where that might be all, Richardson's
    extrapolation decides, which is exact to rounding.
    """
    shares = together(total)
    sizes = np.sum([np.abs(part).sum(0) for part in _parts(rows)], 0)
    slope = slopes(reduce, total, shares, sizes)  # (C, S)
    found = np.full((len(rows), slope.shape[1]), np.nan)
    smooth = np.isfinite(slope).all(0)
    slope = slope[:, smooth]
    pull = _along(rows, shares, slope)
    # what a unit would move by its size
    scale = np.sum([(np.abs(part) @ np.abs(slope)).sum(0) for part in _parts(rows)], 0) / len(rows)
    small = (np.abs(pull) <= NOTHING * scale).all(0)
    doubtful = (np.abs(pull) <= DOUBTFUL * scale).all(0) & ~small
    if doubtful.any():
        twice = slopes(reduce, total, shares, sizes, 2 * STEP)[:, smooth]
        better = _along(rows, shares, (4 * slope - twice) / 3)
        small |= doubtful & (np.abs(better) <= NOTHING * scale).all(0)
    found[:, smooth] = np.where(small, 0.0, pull)
    return found


def _along(rows: Floats, shares: Floats, slope: Floats) -> Floats:
    """(n, S) what each unit moves the values by, whose derivatives are `slope` (C, S)."""
    return np.concatenate([coordinates(part, shares) @ slope for part in _parts(rows)])


def _parts(rows: Floats) -> list[Floats]:
    """Some rows at a time: copies of all would take more memory than a bootstrap does."""
    return [rows[at : at + PART] for at in range(0, max(1, len(rows)), PART)]


def resampled(
    rows: Floats, keys: Keys, reduce: Reduce, seed: int, replicates: int
) -> tuple[Floats, Floats]:
    """(R, C) the sums of the bootstrap's replicates, and (R, S) the standard errors of the values
    in each: from the replicate's own derivatives and weighted second moments.

    Moments are those of two columns that move one score: of means, a column each and the last one.
    """
    total = rows.sum(0)
    shares, sizes = together(total), np.abs(rows).sum(0)
    pairs = _joint(slopes(reduce, total, shares, sizes)[None])
    tables = [rows.__getitem__, _products(rows, shares, pairs)]
    sums, products = tables_summed(tables, len(rows), keys, seed, replicates)
    slope = slopes(reduce, sums, shares, sizes)  # (R, C, S)
    moments = np.zeros((len(sums), *pairs.shape))
    moments[:, pairs] = products
    more = _joint(slope) & ~pairs  # columns that move a score in some replicate alone
    if more.any():
        late = [_products(rows, shares, more)]
        (moments[:, more],) = tables_summed(late, len(rows), keys, seed, replicates)
    lower = np.tril_indices(len(pairs), -1)
    moments[:, lower[0], lower[1]] = moments[:, lower[1], lower[0]]
    with np.errstate(all="ignore"):
        variance = np.einsum("rcs,rcs->rs", slope, np.einsum("rcd,rds->rcs", moments, slope))
        return sums, np.asarray(np.sqrt(np.maximum(variance, 0.0)), np.float64)


def _joint(slope: Floats) -> NDArray[np.bool_]:
    """(C, C) upper triangle: which two columns move one score by the slopes (R, C, S); the last
    one, along which all move together, is taken to move every score that another does."""
    moves = ((slope != 0.0) & ~np.isnan(slope)).any(0)  # (C, S)
    moves[-1:] |= moves.any(0)
    return np.triu(moves @ moves.T)


def _products(rows: Floats, shares: Floats, pairs: NDArray[np.bool_]) -> Table:
    """Products of the rows' coordinates, a column for each of the pairs (C, C)."""
    first, second = np.nonzero(pairs)

    def part(block: slice) -> Floats:
        points = coordinates(rows[block], shares)
        return points[:, first] * points[:, second]

    return part
