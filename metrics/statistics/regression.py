"""Functions of one number fitted to another: a line, or a monotone step curve; by cross-validation.

    x, y    (n,)     what is fitted, and what it is fitted to
    knots   (k, 2)   points of the function, rising in x
    folds   (n,)     int64, the part of each unit that is predicted from the others

A line is two knots and goes on beyond them; an isotonic curve runs straight from knot to knot and
stays constant beyond them, as scikit-learn's `IsotonicRegression(out_of_bounds="clip")`. It rises
or falls as Spearman's correlation says.

Source: Barlow, Bartholomew, Bremner, Brunk (1972), "Statistical Inference under Order
Restrictions".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.correlation import spearman
from metrics.statistics.weights import Floats, unit_keys

Method = Literal["isotonic", "linear"]
Ints = NDArray[np.int64]

FOLDS = 10


def linear(x: Floats, y: Floats) -> Floats:
    """(2, 2) the line of least squares, at the ends of x; a constant where x is."""
    ends = np.array([x.min(), x.max()])
    if ends[0] == ends[1]:
        return np.column_stack([[ends[0], ends[0] + 1.0], [y.mean(), y.mean()]])
    centred = x - x.mean()
    slope = float(centred @ (y - y.mean()) / (centred @ centred))
    return np.column_stack([ends, y.mean() + slope * (ends - x.mean())])


def isotonic(x: Floats, y: Floats) -> Floats:
    """(k, 2) the monotone curve of least squares; units of equal x share its mean."""
    from scipy.optimize import isotonic_regression

    places, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    means = np.bincount(inverse, y) / counts
    rises = not spearman(x, y) < 0  # where it is not defined, it does not matter
    found = isotonic_regression(means, weights=counts, increasing=rises).x
    # within a level, only its ends are needed
    same = np.r_[False, found[1:] == found[:-1]]
    inner = same & np.r_[same[1:], False]
    return np.column_stack([places[~inner], found[~inner]])


FITS: Mapping[Method, Callable[[Floats, Floats], Floats]] = {
    "isotonic": isotonic,
    "linear": linear,
}


def fitted(method: Method, knots: Floats, x: Floats) -> Floats:
    """The function's values at x, of any shape; NaN stays NaN."""
    if method == "isotonic":
        return np.asarray(np.interp(x, knots[:, 0], knots[:, 1]), np.float64)
    (left, below), (right, above) = knots
    return np.asarray(below + (x - left) * ((above - below) / (right - left)), np.float64)


def fold_of(names: Sequence[str], folds: int = FOLDS) -> Ints:
    """(n,) the fold of each unit by its name: units of one name stay together. Names are dealt out
    in the order of their hashes, so that folds are alike in size and the same in every run."""
    known, inverse = np.unique(unit_keys(names), return_inverse=True)
    return np.asarray(np.arange(len(known))[inverse] % folds, np.int64)


def out_of_fold(method: Method, x: Floats, y: Floats, folds: Ints) -> Floats:
    """(n,) each unit's value by the function that was fitted without its fold."""
    found = np.full(len(x), np.nan)
    for fold in np.unique(folds):
        held = folds == fold
        knots = FITS[method](x[~held], y[~held])
        found[held] = fitted(method, knots, x[held])
    return found


def mean_out_of_fold(y: Floats, folds: Ints) -> Floats:
    """(n,) the mean of the other folds: what a function of x has to beat."""
    found = np.full(len(y), np.nan)
    for fold in np.unique(folds):
        held = folds == fold
        found[held] = y[~held].mean()
    return found


def root_mean_square(errors: Floats) -> float:
    """Of errors, in the unit of what was predicted."""
    return float(np.sqrt((errors**2).mean()))
