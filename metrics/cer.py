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

from pydantic import Field

from metrics.core.metric import Params
from metrics.text.edits import error_rate
from metrics.text.normalization import Normalization, normalize


class CerParams(Params):
    """How texts are made comparable."""

    normalization: Normalization = Field(
        "none",
        description="`none`: as they are; `unicode`: NFKC, case folded, no punctuation; `squad`: "
        "SQuAD 1.1's, English",
    )


def cut(text: str, params: CerParams) -> str:
    """The text's characters."""
    return normalize(text, params.normalization).strip()


METRIC = error_rate(
    name="cer",
    about="Character edits that turn a reference into the output, for each character of it.",
    formula=(
        "(S + D + I) / N: substituted, deleted and inserted characters for each of the reference's"
    ),
    params=CerParams,
    score="edits a character of the reference",
    cut=cut,
)
