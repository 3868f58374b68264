"""Scores that do not rank the same samples alike, and the samples that they quarrel over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np

from metrics.core.rows import Floats, Ints
from metrics.statistics.correlation import correlation, deal, spearman

MOST_SCORES, MOST_PAIRS, EXAMPLES = 12, 20, 3
LEAST = 10  # samples that both have


def disagreements(
    values: Mapping[str, Floats], groups: Ints | None, level: float
) -> list[dict[str, Any]]:
    """Pairs of scores, those that agree least first, each with Spearman's correlation, its
    interval, and places of samples that the one ranks far above the other.

    values  (n,) by score, more is better, NaN where there is none
    """
    found: list[tuple[float, dict[str, Any]]] = []
    for a, b in combinations(list(values)[:MOST_SCORES], 2):
        both = np.flatnonzero(np.isfinite(values[a]) & np.isfinite(values[b]))
        if len(both) < LEAST:
            continue
        x, y = values[a][both], values[b][both]
        dealt = deal(len(both), None if groups is None else groups[both])
        told = correlation(spearman, x, y, dealt, level)
        if told.value is None:
            continue
        apart = _ranks(x) - _ranks(y)
        order = np.argsort(apart, kind="stable")
        pair = {
            "a": a,
            "b": b,
            "n": len(both),
            "spearman": asdict(told),
            "a_above_b": _places(both, apart, order[::-1]),
            "b_above_a": _places(both, -apart, order),
        }
        found.append((told.value, pair))
    found.sort(key=lambda one: one[0])
    return [pair for _, pair in found[:MOST_PAIRS]]


def _ranks(values: Floats) -> Floats:
    """(n,) between 0 for the worst and 1 for the best, ties at their mean."""
    from scipy.stats import rankdata

    return np.asarray((rankdata(values) - 1) / max(1, len(values) - 1), np.float64)


def _places(both: Ints, apart: Floats, order: Ints) -> list[int]:
    chosen = [at for at in order[:EXAMPLES].tolist() if apart[at] > 0]
    return [int(both[at]) for at in chosen]
