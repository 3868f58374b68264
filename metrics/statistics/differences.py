"""Every two systems on each sample, as meta-evaluation compares them."""

from __future__ import annotations

import numpy as np

from metrics.statistics.weights import Floats

SLACK = 1e-12  # relative: rounding must not make a difference


def differences(values: Floats) -> Floats:
    """(P, N) of every two of (M, N) systems; 0 where only rounding tells them apart."""
    left, right = np.triu_indices(len(values), 1)
    a, b = values[left], values[right]
    found = a - b
    return np.where(np.abs(found) <= SLACK * np.maximum(np.abs(a), np.abs(b)), 0.0, found)


def standardised(values: Floats) -> Floats:
    """With a mean of 0 and a deviation of 1, NaN aside; equal values with a deviation of 0."""
    spread = np.nanstd(values) if np.isfinite(values).any() else 0.0
    return np.asarray((values - np.nanmean(values)) / (spread or 1.0), np.float64)
