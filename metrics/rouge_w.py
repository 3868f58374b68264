"""ROUGE-W: the longest common subsequence, in which words that follow each other count more.

Conventions
    A run of k words that match one after the other counts k ** weight, 1.2 as Lin's; the largest
    sum over common subsequences, as his recursion finds it, gives recall and precision through the
    inverse of that power, and their harmonic mean is the score. The text as a whole is one
    sequence, as in ROUGE-L. Words are those of every script, case-folded; of Chinese and Japanese
    each character is one. Several references: the best. Several outputs are averaged; the value is
    the mean over samples. 0..1, higher is better. An output without words scores 0; references
    without any are missing, and so are pairs of more than 25 million words times words.

Lin: ROUGE (2004), section 4.

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> texts = ("мама мыла раму и пол", "мама и мыла эту раму пол")
    >>> samples = [Sample(text, (text,), references=("мама мыла раму",)) for text in texts]
    >>> (result,) = score(samples, [METRIC.bind()])
    >>> result.per_sample.round(3).ravel().tolist()
    [0.75, 0.555]
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from inference.batching import plan_in_order
from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Score, Source
from metrics.core.rows import mean
from metrics.text.weighted_lcs import Pair, weighted
from metrics.text.words import unicode_words

MOST_CELLS = 25_000_000
NO_WORDS, TOO_LONG = 1, 2  # flags
BATCH_BYTES, BATCH_ITEMS = 2_000_000, 512


class RougeWParams(Params):
    """How much a run of matches counts."""

    weight: float = Field(1.2, ge=1, le=4, description="a run of k words counts k ** weight")


def measure(items: Sequence[Item], params: RougeWParams, models: Models) -> Evidence:
    """Rows (F, 1); zeros where the references have no words, or there are too many."""
    codes: dict[str, int] = {}
    read: dict[str, list[int]] = {}
    pairs: list[Pair] = []
    owner: list[int] = []
    flags = np.zeros(len(items), np.uint8)
    for index, item in enumerate(items):
        for text in (item.output, *item.references):
            if text not in read:
                read[text] = [codes.setdefault(one, len(codes)) for one in unicode_words(text)]
        output = read[item.output]
        known: list[list[int]] = [read[text] for text in item.references if read[text]]
        flags[index] = NO_WORDS if not known else 0
        if len(output) * max(map(len, known), default=0) > MOST_CELLS:
            flags[index], known = TOO_LONG, []
        pairs += [(output, reference) for reference in known]
        owner += [index] * len(known)
    shared = weighted(pairs, params.weight)
    rows = np.zeros((len(items), 2))
    for (one, other), index, found in zip(pairs, owner, shared.tolist(), strict=True):
        value = f1(found, len(one), len(other), params.weight)
        rows[index, 0] = max(rows[index, 0], value)
    rows[:, 1] = flags == 0
    return Evidence.of_rows(rows, flags.tolist())


def f1(shared: float, output: int, reference: int, weight: float) -> float:
    """Of the weighted subsequence of two texts of so many words."""
    if shared == 0:
        return 0.0
    precision: float = (shared / float(output) ** weight) ** (1 / weight)
    recall: float = (shared / float(reference) ** weight) ** (1 / weight)
    return min(1.0, 2 * precision * recall / (precision + recall))


METRIC = Metric(
    name="rouge_w",
    version=1,
    about="Longest common subsequence with a reference, in which runs of words count more.",
    formula="F1 of (WLCS / length^1.2)^(1/1.2); a run of k matches counts k^1.2",
    avoid="Facts and fluency: shared words count. Texts in another order than the reference.",
    params=RougeWParams,
    reads=("output", "references"),
    needs=("output", "references"),
    scores=(Score("rouge_w", higher_is_better=True, high=1.0, about="mean F1"),),
    interval="bootstrap_t",
    pooling="average",
    source=Source(paper="Lin 2004, https://aclanthology.org/W04-1013", reference="the definition"),
    measure=measure,
    reduce=mean,
    plan=lambda items, params, models: plan_in_order(
        [len(item.output) + sum(map(len, item.references)) for item in items],
        BATCH_BYTES,
        BATCH_ITEMS,
    ),
    flags={
        NO_WORDS: Flag("no reference has a word", missing=True),
        TOO_LONG: Flag("too long: more than 25 million words times words", missing=True),
    },
)
