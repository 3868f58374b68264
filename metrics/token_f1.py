"""Token F1: how many words the output and a reference share.

Conventions
    F1 = 2PR / (P + R) over bags of words, where P is the share of the output's words found in the
    reference and R the share of the reference's found in the output; of several references, the
    best one counts. No word in common: 0, even when both are empty (SQuAD 1.1 does so). Several
    outputs of a sample are averaged; the value is the mean over samples. 0..1, higher is better.
    Words stand between white space, after normalisation (metrics/text/normalization.py). Under
    `unicode` each Han or kana character is a word, since those scripts write no spaces; `squad`
    and `none` split at white space alone, as SQuAD's script does.

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> sample = Sample("1", outputs=("мама мыла раму",), references=("мама мыла окно",))
    >>> (result,) = score([sample], [METRIC.bind()])
    >>> round(result.scores[0].value, 3)
    0.667
"""

from __future__ import annotations

from pydantic import Field

from inference.protocol import Models
from metrics.core.metric import Item, Params, Score, Source
from metrics.core.per_output import per_output
from metrics.text.bags import bag, f1
from metrics.text.normalization import Normalization


class TokenF1Params(Params):
    """How texts are made comparable."""

    normalization: Normalization = Field(
        "unicode",
        description="`unicode`: NFKC, case folded, no punctuation, Han and kana character by "
        "character; `squad`: SQuAD 1.1's, English; `none`: as they are",
    )


def best_f1(item: Item, params: TokenF1Params, models: Models) -> float:
    """F1 with the best reference."""
    how = params.normalization
    output = bag(item.output, how)
    return max((f1(output, bag(text, how)) for text in item.references), default=0.0)


METRIC = per_output(
    name="token_f1",
    version=1,
    about="Harmonic mean of precision and recall over words, with the best reference.",
    formula="2PR / (P + R) over bags of words, with the best reference",
    avoid="Long answers, and where word order or negation matters.",
    params=TokenF1Params,
    reads=("output", "references"),
    scores=(Score("token_f1", higher_is_better=True, high=1.0, about="overlap of words"),),
    source=Source(
        paper="Rajpurkar et al., 2016, SQuAD: 100,000+ Questions for Machine Comprehension of Text",
        reference="SQuAD 1.1 evaluation script, with normalization: squad",
    ),
    measure=best_f1,
    interval="wilson",
)
