"""WER, the word error rate: word edits that turn a reference into the output.

Conventions
    Insertions, deletions and substitutions (Levenshtein) over all samples, divided by the number of
    words of their references: long samples weigh more. Lower is better; 0 is a perfect match, and
    outputs longer than their references can exceed 1. Of several references the one with the lowest
    rate counts. Several outputs of a sample are pooled. A sample whose reference has no words has
    no rate of its own; its insertions count in the whole. An empty output costs all words.
    Words stand between white space. `none`, the default, compares them as they are and gives
    jiwer's numbers; `unicode` folds case, drops punctuation and takes each Han or kana character
    for a word; `squad` is English (metrics/text/normalization.py).

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> sample = Sample("1", outputs=("мама мыла окно",), references=("мама мыла белую раму",))
    >>> (result,) = score([sample], [METRIC.bind()])
    >>> result.scores[0].value
    0.5
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Item, Metric, Params, Score, Source
from metrics.text.edits import edit_rows, rate
from metrics.text.normalization import Normalization, normalize, words


class WerParams(Params):
    """How texts are made comparable."""

    normalization: Normalization = Field(
        "none",
        description="`none`: as they are; `unicode`: NFKC, case folded, no punctuation, Han and "
        "kana character by character; `squad`: SQuAD 1.1's, English",
    )


def measure(items: Sequence[Item], params: WerParams, models: Models) -> Evidence:
    """Rows of int64, (n_items, 2): edits, words of the reference."""
    how = params.normalization

    def cut(text: str) -> list[str]:
        return words(normalize(text, how), spaceless=how == "unicode")

    return Evidence.of_rows(edit_rows(items, cut))


METRIC = Metric(
    name="wer",
    version=1,
    about="Word edits that turn a reference into the output, for each word of the reference.",
    formula="(S + D + I) / N: substituted, deleted and inserted words for each of the reference's",
    avoid="Anything that may be said in other words: it measures transcription, not meaning.",
    params=WerParams,
    reads=("output", "references"),
    needs=("output", "references"),
    scores=(Score("wer", higher_is_better=False, about="edits a word of the reference"),),
    interval="bootstrap_t",
    pooling="pool",
    source=Source(
        paper="Levenshtein 1966, Binary codes capable of correcting deletions, insertions, and "
        "reversals",
        reference="jiwer 4.0.0, with normalization: none",
    ),
    measure=measure,
    reduce=rate,
)
