"""Many systems at once: the tests of all their pairs from what each brought along by itself.

    values      (N,)    of N systems over the same units
    replicates  (R, N)  their values in the same R draws of those units: paired already
    p_values    (N, N)  two-sided, uncorrected; [i, j] is i less j; NaN where nothing can be said

Replicates of one seed over the same units are drawn alike, so the variance of any difference is in
their covariance, and N² tests cost one product of matrices. A p-value is the tail of Student's t
with n - 1 degrees of freedom at difference / (error · √(n / (n - 1))), for the bootstrap's error
is that of n; `tail="normal"` is the normal's at difference / error. No count of replicates bounds
it from below, so that a correction for many tests leaves something to find; what bounds it is
2**(1 - n), the least that exchanging n pairs can give.

Rejections of a true null at 5%, 400 sets of 8 systems, n = 10 / 20 / 50: normal values 3.7 / 4.8 /
5.0, gamma(0.5) 2.3 / 3.6 / 4.4, proportions of 0.3 3.8 / 4.7 / 5.1.

Source: Efron & Tibshirani (1993), "An Introduction to the Bootstrap", ch. 6 and 12.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.weights import Floats

Tail = Literal["t", "normal"]

TIE = 1e-12  # relative: rounding must not make two values differ
CLOSE = 1e-6  # of the variances: a difference's variance below that has lost digits
CELLS = 4_000_000  # of replicates looked at again at a time
LEAST = sys.float_info.min  # no p-value is shown as 0


@dataclass(frozen=True, slots=True)
class Pairwise:
    """(N, N) differences, their standard errors and two-sided p-values, uncorrected.

    `units` is what they rest on, one number for all pairs or (N, N).
    """

    differences: Floats
    errors: Floats
    p_values: Floats
    units: Floats


def covariance_test(
    values: Floats, replicates: Floats, units: int, *, tail: Tail = "t"
) -> Pairwise:
    """All pairs of systems by the covariance of their replicates.

    A replicate without a finite value in either system is left out of the pair's. `values` that are
    NaN have no verdict with anybody.
    """
    errors = deviations_between(replicates)
    differences, _ = differences_of(values[:, None], values[None, :])
    student = np.sqrt(units / (units - 1)) if tail == "t" and units > 1 else 1.0
    p_values = two_sided(differences, student * errors, units, tail=tail)
    np.fill_diagonal(p_values, np.nan)
    return Pairwise(differences, errors, p_values, np.full_like(errors, units))


def deviations_between(drawn: Floats) -> Floats:
    """(N, N) the standard deviation of each difference of two columns of (R, N)."""
    there = np.isfinite(drawn)
    filled = np.where(there, drawn, 0.0)
    count = there.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        centred = np.where(there, drawn - filled.sum(0) / count, 0.0)
        if there.all():
            product = centred.T @ centred
            own = np.diag(product)
            squares = own[:, None] + own[None, :] - 2 * product
            variances = squares / (len(drawn) - 1)
        else:
            variances, own = _with_gaps(centred, there.astype(np.float64))
        scale = own[:, None] + own[None, :]
        lost = variances * (len(drawn) - 1) <= CLOSE * scale
        _again(variances, centred, there, lost)
        variances[~(np.isfinite(variances))] = np.nan
        return np.asarray(np.sqrt(np.maximum(variances, 0.0)), np.float64)


def differences_of(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """a - b, zero where only rounding tells them apart, and how far rounding reaches."""
    slack = TIE * np.maximum(np.abs(a), np.abs(b))
    found = a - b
    return np.where(np.abs(found) <= slack, 0.0, found), slack


def two_sided(
    differences: Floats,
    errors: Floats,
    units: int | Floats,
    freedom: Floats | None = None,
    *,
    tail: Tail = "t",
) -> Floats:
    """The p-values of differences with their standard errors, of any shape; see above.

    freedom  of the errors, in degrees; None: one less than the units

    NaN with fewer than two units, or where either is not finite. A difference of zero has 1.
    """
    from scipy.special import ndtr, stdtr

    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.asarray(units, np.float64)
        statistic = np.abs(differences) / errors
        statistic = np.where(differences == 0.0, 0.0, statistic)
        degrees = np.maximum(size - 1, 1) if freedom is None else freedom
        found = ndtr(-statistic) if tail == "normal" else stdtr(degrees, -statistic)
        p_values = np.maximum(np.minimum(2 * found, 1.0), least(size))
        known = np.isfinite(differences) & np.isfinite(errors) & (size >= 2)
        return np.where(known, p_values, np.nan)


def least(units: int | Floats) -> Floats:
    """The least two-sided p-value that exchanging n pairs can give, and never quite 0."""
    return np.clip(2.0 ** (1.0 - np.asarray(units, np.float64)), LEAST, 1.0)


def benjamini_hochberg(p_values: Floats) -> Floats:
    """(m,) adjusted p-values; comparing them with alpha keeps the false discovery rate: the share
    of mistakes among what is called significant. NaN stays NaN and does not count.

    Benjamini & Hochberg (1995), for tests that are independent or positively dependent.
    """
    adjusted = np.full(len(p_values), np.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(-p_values[tested], kind="stable")]  # from the largest
    steps = p_values[order] * len(order) / np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.minimum.accumulate(steps), 1.0)
    return adjusted


def _with_gaps(centred: Floats, there: Floats) -> tuple[Floats, Floats]:
    """(N, N) variances of the differences over the replicates that both have, and (N,) the columns'
    own sums of squares. `centred` is 0 where `there` is."""
    both = there.T @ there
    sums = centred.T @ there  # [i, j] of i over what j has
    squares = (centred**2).T @ there
    found = squares + squares.T - 2 * (centred.T @ centred) - (sums - sums.T) ** 2 / both
    return np.where(both >= 2, found / (both - 1), np.nan), np.diag(squares)


def _again(
    variances: Floats,
    centred: Floats,
    there: NDArray[np.bool_],
    lost: NDArray[np.bool_],
) -> None:
    """Variances of differences that are tiny beside their systems' own, from the differences."""
    left, right = np.nonzero(np.triu(lost, 1))
    step = max(1, CELLS // max(1, len(centred)))
    for start in range(0, len(left), step):
        a, b = left[start : start + step], right[start : start + step]
        gaps = np.where(there[:, a] & there[:, b], centred[:, a] - centred[:, b], np.nan)
        count = np.isfinite(gaps).sum(0)
        own = np.nansum((gaps - np.nansum(gaps, 0) / count) ** 2, 0) / (count - 1)
        variances[a, b] = variances[b, a] = own
    np.fill_diagonal(variances, np.where(np.isfinite(np.diag(variances)), 0.0, np.nan))
