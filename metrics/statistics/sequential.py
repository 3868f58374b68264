"""Confidence sequences: intervals that hold at every n at once, so that one may look at any time.

An ordinary 95% interval looked at twenty times while samples arrive is wrong far more often than 5%
of the time: one stops when chance is favourable. The bounds here contain the mean at all n together
with probability 1 - alpha, however often one looks and whyever one stops. They cost width: about
half as wide again as the ordinary interval.

Method: bets against each candidate mean m of values in [low, high], scaled to [0, 1].
  1. Capital: K+ = Π (1 + λ_i (x_i - m)), K- = Π (1 - λ_i (x_i - m)); λ_i depends on x_1 … x_(i-1)
     only and never risks more than a fixed share, so capital stays positive.
  2. Were m the mean, no bet could be expected to win: K exceeds 2/alpha at any time with
     probability alpha/2 at most (Ville's inequality).
  3. The bounds at n are those m against which the capital has not yet exceeded 2/alpha. Each side
     alone errs with probability alpha/2 at most.

Source: Waudby-Smith & Ramdas (2024), "Estimating means of bounded random variables by betting",
section 4.2, the hedged capital with predictable plug-in bets.
"""

from __future__ import annotations

import numpy as np

from metrics.statistics.weights import Floats

GRID = 2000  # candidate means; the bounds are moved outward to the next one
SHARE = 0.5  # of the capital, at most, is risked in one bet
CELLS = 2_000_000  # of candidates times values, held at a time


def confidence_sequence(
    differences: Floats, low: float, high: float, alpha: float, *, weights: Floats | None = None
) -> tuple[Floats, Floats]:
    """(n,), (n,) running bounds of the mean of (n,) values that are never outside [low, high].

    weights  (n,) in (0, 1], for a weighted mean: of clusters, their sizes over the largest possible

    The order must not depend on the values, and each must be a fresh draw: shuffled samples are,
    samples sorted by topic are not. Raises ValueError for values outside the range.
    """
    if not high > low:
        raise ValueError(f"no values lie between {low} and {high}")
    if not len(differences):
        return np.zeros(0), np.zeros(0)
    slack = 1e-9 * (high - low)
    if differences.min() < low - slack or differences.max() > high + slack:
        raise ValueError(f"there are values outside {low} to {high}, so no bound holds")
    x = np.clip((differences - low) / (high - low), 0.0, 1.0)
    share = np.ones(len(x)) if weights is None else weights
    bets = _bets(x, share, alpha)
    below = _ruled_out(x, share, bets, alpha)  # how many candidates from 0 up
    above = _ruled_out(1.0 - x, share, bets, alpha)
    start, end = below / GRID, 1.0 - above / GRID
    start, end = np.maximum.accumulate(start), np.minimum.accumulate(end)
    return low + (high - low) * start, low + (high - low) * end


def _bets(x: Floats, share: Floats, alpha: float) -> Floats:
    """(n,) λ before it is cut: large where the values so far vary little, slowly falling."""
    n = np.arange(1, len(x) + 1, dtype=np.float64)
    weight = np.cumsum(share)
    mean = (0.5 + np.cumsum(share * x)) / (1.0 + weight)
    variance = (0.25 + np.cumsum((share * (x - mean)) ** 2)) / (n + 1.0)
    before = np.concatenate([[0.25], variance[:-1]])
    return np.asarray(np.sqrt(2.0 * np.log(2.0 / alpha) / (before * n * np.log1p(n))), np.float64)


def _ruled_out(x: Floats, share: Floats, bets: Floats, alpha: float) -> Floats:
    """(n,) how many of the candidates 0, 1/GRID, … from below have lost to 2/alpha by each n.

    Bets are that the values are larger than m. A candidate is ruled out once; what lies below one
    that is ruled out is, too: the capital against it is larger. The bound is the last candidate
    ruled out, so that all means above it stay.
    """
    first = np.full(GRID, len(x), np.int64)  # (GRID,) when each is ruled out
    bar = np.log(2.0 / alpha)
    step = max(1, min(GRID // 16, CELLS // max(1, len(x))))
    for at in range(0, GRID, step):
        m = (np.arange(at, min(at + step, GRID)) / GRID)[:, None]  # (g, 1)
        with np.errstate(divide="ignore"):
            risked = np.minimum(bets, SHARE / m)  # (g, n)
        capital = np.cumsum(np.log1p(risked * share * (x - m)), axis=1)
        won = capital >= bar
        some = won.any(1)
        first[at : at + step][some] = won.argmax(1)[some]
        if not some.any():
            break  # nor is any candidate above
    # the count of leading candidates that are out by n; candidate 0 alone rules nothing out
    order = np.maximum.accumulate(first)
    counts = np.searchsorted(order, np.arange(len(x)), side="right").astype(np.float64)
    return np.maximum(counts - 1.0, 0.0)
