"""The bootstrap-t: how far replicates lie from the value in units of their own standard error.

    t_r = (θ_r - θ) / s_r,   the interval from θ - s·t(1 - α/2) to θ - s·t(α/2)

Unlike percentiles it knows that a skewed sample with a low mean shows a low variance too. What lies
beyond the farthest sample no resample shows, so the end on its side is moved outwards by twice that
sample's own part in the error, 2 u² / s: by simulation the least that covers lognormal values of
σ = 1.5 with 50 samples (92.9 instead of 90.0 of a nominal 95); of normal values, 95.7 for 94.8.

Source: Efron & Tibshirani (1993), "An Introduction to the Bootstrap", ch. 12.5; Hall (1988),
"Theoretical comparison of bootstrap confidence intervals".
"""

from __future__ import annotations

import numpy as np

from metrics.statistics.quantiles import percentiles, t_quantile
from metrics.statistics.weights import Floats

BEYOND = 2.5
FEWEST = 8  # units below which resamples of one and the same unit are too frequent to studentize


def interval(
    values: Floats, pull: Floats, drawn: Floats, errors: Floats, level: float
) -> tuple[Floats, Floats, tuple[str, ...]]:
    """(S,), (S,) bounds and (S,) methods: the bootstrap-t's, or what stands in for it: Student's t
    of fewer than 8 units, percentiles of scores without a derivative.

    pull    (n, S) the units' influence
    drawn   (R, S) the bootstrap's values, NaN where one has none
    errors  (R, S) their standard errors
    """
    n = len(pull)
    if n < FEWEST:
        error = np.sqrt((pull**2).sum(0) * n / max(n - 1, 1))
        half = t_quantile(0.5 + level / 2, max(n - 1, 1)) * error
        low, high, name = values - half, values + half, "t"
    else:
        low, high = studentized(values, pull, drawn, errors, level)
        name = "bootstrap_t"
    smooth = np.asarray(np.isfinite(pull).all(0), np.bool_)
    plain = percentiles(drawn, level)
    return (
        np.where(smooth, low, plain[0]),
        np.where(smooth, high, plain[1]),
        tuple(map(str, np.where(smooth, name, "bootstrap"))),
    )


def studentized(
    values: Floats, influence: Floats, drawn: Floats, errors: Floats, level: float
) -> tuple[Floats, Floats]:
    """(S,), (S,) bounds; infinite where too many replicates have no variance of their own.

    values     (S,)
    influence  (n, S) of each unit on each value
    drawn      (R, S) replicates, NaN where one has no value
    errors     (R, S) their standard errors
    """
    error = np.sqrt((influence**2).sum(0))  # (S,)
    with np.errstate(all="ignore"):
        t = (drawn - values) / errors
    t[(drawn == values) & (errors == 0.0)] = 0.0  # as close as can be
    low, high = values.copy(), values.copy()
    for s in range(len(values)):
        column = np.sort(t[~np.isnan(t[:, s]), s])
        if not len(column):
            low[s] = high[s] = np.nan
            continue
        rank = (len(column) - 1) * (1 - level) / 2  # outwards, never between two replicates
        with np.errstate(invalid="ignore"):
            low[s] -= error[s] * column[int(np.ceil(len(column) - 1 - rank))]
            high[s] -= error[s] * column[int(np.floor(rank))]
    return _beyond(low, high, influence, error)


def _beyond(low: Floats, high: Floats, influence: Floats, error: Floats) -> tuple[Floats, Floats]:
    """The bounds, the one on the farthest unit's side moved outwards."""
    with np.errstate(all="ignore"):
        farthest = np.abs(influence).argmax(0)
        own = np.take_along_axis(influence, farthest[None, :], 0)[0]  # (S,)
        pull = np.where(error > 0, BEYOND * own * np.abs(own) / error, 0.0)
    return low + np.minimum(pull, 0.0), high + np.maximum(pull, 0.0)
