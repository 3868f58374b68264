"""CER, the character error rate: character edits that turn a reference into the output.

Conventions
    Insertions, deletions and substitutions (Levenshtein) over all samples, divided by the number of
    characters of their references: long samples weigh more. Lower is better; 0 is a perfect match,
    and outputs longer than their references can exceed 1. Of several references the one with the
    lowest rate counts. Several outputs of a sample are pooled. A sample whose reference is empty
    has no rate of its own; its insertions count in the whole. An empty output costs all characters.
    A character is a Unicode code point; white space between words counts, around the text it does
    not. `none`, the default, compares texts as they are and gives jiwer's numbers; `unicode` folds
    case and drops punctuation; `squad` is English (metrics/text/normalization.py).

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> sample = Sample("1", outputs=("корова",), references=("ворона",))
    >>> (result,) = score([sample], [METRIC.bind()])
    >>> round(result.scores[0].value, 3)
    0.333
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Item, Metric, Params, Score, Source
from metrics.text.edits import edit_rows, rate
from metrics.text.normalization import Normalization, normalize


class CerParams(Params):
    """How texts are made comparable."""

    normalization: Normalization = Field(
        "none",
        description="`none`: as they are; `unicode`: NFKC, case folded, no punctuation; `squad`: "
        "SQuAD 1.1's, English",
    )


def measure(items: Sequence[Item], params: CerParams, models: Models) -> Evidence:
    """Rows of int64, (n_items, 2): edits, characters of the reference."""

    def cut(text: str) -> str:
        return normalize(text, params.normalization).strip()

    return Evidence.of_rows(edit_rows(items, cut))


METRIC = Metric(
    name="cer",
    version=1,
    about="Character edits that turn a reference into the output, for each character of it.",
    formula=(
        "(S + D + I) / N: substituted, deleted and inserted characters for each of the reference's"
    ),
    avoid="Anything that may be said in other words: it measures transcription, not meaning.",
    params=CerParams,
    reads=("output", "references"),
    needs=("output", "references"),
    scores=(Score("cer", higher_is_better=False, about="edits a character of the reference"),),
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
