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

from pydantic import Field

from metrics.core.metric import Params
from metrics.text.edits import error_rate
from metrics.text.normalization import Normalization, normalize, words


class WerParams(Params):
    """How texts are made comparable."""

    normalization: Normalization = Field(
        "none",
        description="`none`: as they are; `unicode`: NFKC, case folded, no punctuation, Han and "
        "kana character by character; `squad`: SQuAD 1.1's, English",
    )


def cut(text: str, params: WerParams) -> list[str]:
    """The text's words."""
    how = params.normalization
    return words(normalize(text, how), spaceless=how == "unicode")


METRIC = error_rate(
    name="wer",
    about="Word edits that turn a reference into the output, for each word of the reference.",
    formula="(S + D + I) / N: substituted, deleted and inserted words for each of the reference's",
    params=WerParams,
    score="edits a word of the reference",
    cut=cut,
    by_spaces=lambda params: params.normalization != "unicode",
)
