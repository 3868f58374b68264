"""The longest common subsequence, in which matches that follow each other count more (Lin 2004).

A run of k matches counts k ** weight. The table is filled diagonal by diagonal, of many pairs at
once; a cell depends on cells of the two diagonals before it alone, so the numbers are those of the
plain loop, to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from metrics.core.rows import Floats

CELLS = 200_000  # of a diagonal, over the pairs of a batch

Pair = tuple[Sequence[int], Sequence[int]]


def weighted(pairs: Sequence[Pair], weight: float) -> Floats:
    """(n,) of pairs of words as numbers from 0."""
    found = np.zeros(len(pairs))
    order = sorted(range(len(pairs)), key=lambda at: (len(pairs[at][0]), len(pairs[at][1])))
    while order:
        longest = len(pairs[order[-1]][0]) + 1
        count = max(1, min(len(order), CELLS // longest))
        chosen, order = order[-count:], order[:-count]
        found[chosen] = _together([pairs[at] for at in chosen], weight)
    return found


def _together(pairs: Sequence[Pair], weight: float) -> Floats:
    rows = np.array([len(one) for one, _ in pairs])
    columns = np.array([len(other) for _, other in pairs])
    height, width = int(rows.max()), int(columns.max())
    one = _padded([one for one, _ in pairs], height, -1)  # (B, height)
    other = _padded([other for _, other in pairs], width, -2)[:, ::-1]  # (B, width), last first
    gained = np.diff([float(k) ** weight for k in range(min(height, width) + 2)])  # by a match
    found = np.zeros(len(pairs))
    before, last = (np.zeros((len(pairs), height + 1)) for _ in range(2))  # by rows
    run_before, run_last = (np.zeros((len(pairs), height + 1), np.int32) for _ in range(2))
    for diagonal in range(2, int((rows + columns).max()) + 1):
        low, high = max(1, diagonal - width), min(height, diagonal - 1)  # rows, both included
        first = width - (diagonal - low)  # where the column of row `low` stands in `other`
        match = one[:, low - 1 : high] == other[:, first : first + high - low + 1]
        run = run_before[:, low - 1 : high]
        longer = before[:, low - 1 : high] + gained.take(run)
        either = np.maximum(last[:, low - 1 : high], last[:, low : high + 1])
        now, run_now = np.zeros_like(before), np.zeros_like(run_before)
        now[:, low : high + 1] = np.where(match, longer, either)
        np.multiply(run + 1, match, out=run_now[:, low : high + 1])
        ended = np.flatnonzero(rows + columns == diagonal)
        found[ended] = now[ended, rows[ended]]
        before, last, run_before, run_last = last, now, run_last, run_now
    return found


def _padded(texts: Sequence[Sequence[int]], width: int, pad: int) -> NDArray[np.int32]:
    padded = np.full((len(texts), width), pad, np.int32)
    for row, text in zip(padded, texts, strict=True):
        row[: len(text)] = text
    return padded
