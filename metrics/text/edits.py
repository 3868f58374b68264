"""Error rates: edits that turn a reference into the output, for each unit of the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from rapidfuzz.distance import Levenshtein

from metrics.core.metric import Item, Params
from metrics.core.rows import Floats, Ints

Cut = Callable[[str], Sequence[str]]


def edit_rows(items: Sequence[Item], cut: Cut) -> Ints:
    """(n_items, 2) edits, and units of the reference, of the reference with the lowest rate.

    cut  a text as words, or as characters; called once for each distinct text
    """
    units: dict[str, Sequence[str]] = {}

    def of(text: str) -> Sequence[str]:
        if text not in units:
            units[text] = cut(text)
        return units[text]

    rows = np.zeros((len(items), 2), np.int64)
    for index, item in enumerate(items):
        output = of(item.output)
        pairs = [(Levenshtein.distance(of(one), output), len(of(one))) for one in item.references]
        rows[index] = min(pairs, key=_rate)
    return rows


def _rate(pair: tuple[int, int]) -> float:
    edits, length = pair
    return edits / length if length else float(edits > 0) * float("inf")


def rate(sums: Floats, params: Params) -> Floats:
    """Reduce of rows (edits, units): edits a unit, (..., 2) -> (..., 1); nothing of nothing is 0,
    edits of nothing NaN."""
    edits, units = sums[..., :1], sums[..., 1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = np.where(units > 0, edits / units, np.nan)
    return np.where((units == 0) & (edits == 0), 0.0, rates)
