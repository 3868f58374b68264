"""Pareto's front: the systems that none is at least as good as in everything and better in one.

worth  (S, ..., N)  of N systems by S scores, higher is better
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.weights import Floats

CELLS = 8_000_000  # pairs looked at at a time


def dominates(worth: Floats) -> NDArray[np.bool_]:
    """(N, N) of (S, N): [i, j]: i is at least as good as j by every score, and better by one."""
    ahead = worth[:, :, None] - worth[:, None, :]
    return np.asarray((ahead >= 0).all(0) & (ahead > 0).any(0), np.bool_)


def shares_on_front(worth: Floats) -> Floats:
    """(N,) of (S, R, N) replicates: the share in which each is on the front. Replicates that lack a
    value are left out; NaN where none is left."""
    kept = worth[:, np.isfinite(worth).all((0, 2))]
    replicates, n = kept.shape[1:]
    if not replicates:
        return np.full(n, np.nan)
    counts = np.zeros(n)
    step = max(1, CELLS // (n * n))
    for start in range(0, replicates, step):
        part = kept[:, start : start + step]
        least = np.ones((part.shape[1], n, n), np.bool_)
        more = np.zeros_like(least)
        for score in part:
            ahead = score[:, :, None] - score[:, None, :]
            least &= ahead >= 0
            more |= ahead > 0
        counts += (~(least & more).any(1)).sum(0)
    return np.asarray(counts / replicates, np.float64)
