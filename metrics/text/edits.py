"""Error rates: edits that turn a reference into the output, for each unit of the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps

import numpy as np
from rapidfuzz.distance import Levenshtein

from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, P, Params, Score, Source
from metrics.core.rows import Floats, Ints
from metrics.text.scripts import spaceless

UNCUT = 1  # a flag

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


def error_rate(
    *,
    name: str,
    about: str,
    formula: str,
    params: type[P],
    score: str,
    cut: Callable[[str, P], Sequence[str]],
    by_spaces: Callable[[P], bool] = lambda _: False,
) -> Metric[P]:
    """A metric of rows (edits, units of the reference), whose value is edits a unit over the set.

    score  what its value says
    cut    a text as words, or as characters
    by_spaces  whether it cuts at spaces alone
    """

    @wraps(cut)  # the metric's conventions are those of the module that `cut` stands in
    def measure(items: Sequence[Item], chosen: P, models: Models) -> Evidence:
        cuts = by_spaces(chosen)
        flags = [UNCUT * (cuts and spaceless(item.references)) for item in items]
        return Evidence.of_rows(edit_rows(items, lambda text: cut(text, chosen)), flags)

    return Metric(
        name=name,
        version=1,
        about=about,
        formula=formula,
        avoid="Anything that may be said in other words: it measures transcription, not meaning.",
        params=params,
        reads=("output", "references"),
        needs=("output", "references"),
        scores=(Score(name, higher_is_better=False, about=score),),
        interval="bootstrap_t",
        pooling="pool",
        source=Source(
            paper="Levenshtein 1966, Binary codes capable of correcting deletions, insertions, "
            "and reversals",
            reference="jiwer 4.0.0, with normalization: none",
        ),
        measure=measure,
        flags={
            UNCUT: Flag(
                "the references have no spaces between words, so a whole sentence is one word: use "
                "cer, or normalization: unicode",
                missing=False,
            )
        },
        reduce=rate,
    )
