"""Token F1: how many words the output and a reference share.

Conventions
    F1 = 2PR / (P + R) over bags of words, where P is the share of the output's words found in the
    reference and R the share of the reference's found in the output; of several references, the
    best one counts. No word in common: 0, even when both are empty (SQuAD 1.1 does so). Several
    outputs of a sample are averaged; the value is the mean over samples. 0..1, higher is better.
    Words stand between white space, after normalisation (metrics/text/normalization.py). Under
    `unicode` each Han or kana character is a word, since those scripts write no spaces; `squad`
    and `none` split at white space alone, as SQuAD's script does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import (
    Item,
    Metric,
    Params,
    Score,
    Source,
    mean,
    needs,
    settle_by_averaging,
)
from metrics.text.normalization import Normalization, normalize, words


class TokenF1Params(Params):
    """How texts are made comparable."""

    normalization: Normalization = Field(
        "unicode",
        description="`unicode`: NFKC, case folded, no punctuation, Han and kana character by "
        "character; `squad`: SQuAD 1.1's, English; `none`: as they are",
    )


def measure(items: Sequence[Item], params: TokenF1Params, models: Models) -> Evidence:
    """Rows (F1 with the best reference, 1)."""
    rows = np.ones((len(items), 2))
    for index, item in enumerate(items):
        output = _bag(item.output, params)
        best = (f1(output, _bag(reference, params)) for reference in item.references)
        rows[index, 0] = max(best, default=0.0)
    return Evidence.of_rows(rows)


def _bag(text: str, params: TokenF1Params) -> Counter[str]:
    how = params.normalization
    return Counter(words(normalize(text, how), spaceless=how == "unicode"))


def f1(output: Counter[str], reference: Counter[str]) -> float:
    """F1 of two bags of words, 0..1."""
    shared = (output & reference).total()
    if shared == 0:
        return 0.0
    precision, recall = shared / output.total(), shared / reference.total()
    return 2 * precision * recall / (precision + recall)


def scores(params: TokenF1Params) -> tuple[Score, ...]:
    return (Score("token_f1", higher_is_better=True, high=1.0, about="overlap of words"),)


METRIC = Metric(
    name="token_f1",
    version=1,
    about="Harmonic mean of precision and recall over words, with the best reference.",
    params=TokenF1Params,
    reads=("output", "references"),
    needs=needs("references"),
    scores=scores,
    columns=("f1", "count"),
    interval="bootstrap",
    pooling="average",
    source=Source(
        paper="Rajpurkar et al., 2016, SQuAD: 100,000+ Questions for Machine Comprehension of Text",
        reference="SQuAD 1.1 evaluation script, with normalization: squad",
    ),
    measure=measure,
    settle=settle_by_averaging,
    reduce=mean,
)
