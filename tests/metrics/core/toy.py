"""Small metrics to hold the machinery to: words per output, a flag for the empty one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from inference.protocol import Models, NoModels
from inference.sentences import Sentence
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Score, Source, settle_only
from metrics.core.rows import Ints, Settled, mean

MODELS = NoModels()


class WordsParams(Params):
    lower: bool = False
    shown: str = settle_only("plain")


calls: list[int] = []  # how many items each call of `measure` was given


def measure(items: Sequence[Item], params: WordsParams, models: Models) -> Evidence:
    """(words, 1) of each output; an empty one is flagged, and so is one that shouts."""
    calls.append(len(items))
    rows = np.array([[len(item.output.split()), 1] for item in items], np.int64).reshape(-1, 2)
    flags = [1 if not item.output else 2 if item.output.isupper() else 0 for item in items]
    return Evidence.of_rows(rows, flags)


WORDS = Metric(
    name="words",
    version=1,
    about="Words of an output.",
    params=WordsParams,
    reads=("output",),
    needs=("output",),
    scores=(Score("words", higher_is_better=True, low=0),),
    interval="bootstrap",
    pooling="average",
    source=Source("none", "none"),
    measure=measure,
    reduce=mean,
    flags={1: Flag("empty output", missing=True), 2: Flag("shouting", missing=False)},
    libraries=("numpy",),
)

PAIRED_UP = replace(  # batches of two, looked up before measured
    WORDS,
    name="words_cached",
    cached=True,
    plan=lambda items, params, models: [
        list(range(start, min(start + 2, len(items)))) for start in range(0, len(items), 2)
    ],
)


def settle_kinds(evidence: Evidence, unit: Ints, params: WordsParams) -> Settled:
    """Share of distinct word counts: depends on the whole set; losses are not the rows."""
    values = evidence["row"][:, 0]
    _, first, counts = np.unique(values, return_index=True, return_counts=True)
    rows = np.zeros((int(unit.max()) + 1, 2))
    np.add.at(rows[:, 0], unit[first], 1)
    np.add.at(rows[:, 1], unit, 1)
    loss = np.zeros_like(rows)
    np.add.at(loss[:, 0], unit[first[counts == 1]], 1)
    loss[:, 1] = rows[:, 1]
    return Settled(
        rows, loss, np.array([1e-6]), {"kinds": str(len(first))}, (Sentence("few kinds"),)
    )


KINDS = replace(
    WORDS,
    name="kinds",
    pooling=None,
    settle=settle_kinds,
    scores=(Score("kinds", higher_is_better=True, low=0, high=1),),
    interval="jackknife",
    set_level=True,
)
