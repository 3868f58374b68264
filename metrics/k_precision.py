"""K-Precision: the share of an answer's words that stand in its evidence. No model is needed.

Conventions
    Words of the output that are among those of the evidence, each as often as both have it, over
    the words of the output. Of several contexts all words count together. 0..1, higher is better;
    several outputs are averaged; the value is the mean over samples. An output without words is
    missing, not 0, and so is a sample without evidence.
    Evidence is the metadata's `contexts` where a sample has them, else its prompt; `evidence` asks
    for one of them alone. Words are those of `token_f1` (metrics/text/normalization.py): `unicode`,
    of every script, unless told; `squad` gives the numbers of the paper's code.
    Inflected forms differ: what Russian answers put into another case counts as not there.

Adlakha, BehnamGhader, Lu, Meade, Reddy: Evaluating Correctness and Faithfulness of
Instruction-Following Models for Question Answering (TACL 2024).

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> found = {"contexts": ["Музей открыт с 1852 года.", "Вход бесплатный."]}
    >>> sample = Sample("1", outputs=("Вход бесплатный с 1952 года",), metadata=found)
    >>> (result,) = score([sample], [METRIC.bind()])
    >>> result.scores[0].value
    0.8
"""

from __future__ import annotations

import math

from pydantic import Field

from inference.protocol import Models
from metrics.core import grounding
from metrics.core.grounding import Grounding
from metrics.core.metric import Item, Params, Score, Source
from metrics.core.per_output import per_output
from metrics.text.bags import bag
from metrics.text.normalization import Normalization


class KPrecisionParams(Params):
    """What the answer is held against, and how words are made comparable."""

    evidence: Grounding = Field("auto", description=grounding.ABOUT)
    normalization: Normalization = Field(
        "unicode",
        description="`unicode`: NFKC, case folded, no punctuation, Han and kana character by "
        "character; `squad`: SQuAD 1.1's, English; `none`: as they are",
    )


def precision(item: Item, params: KPrecisionParams, models: Models) -> float:
    """The share of the output's words; NaN where it has none, or there is no evidence."""
    there = bag("\n".join(grounding.texts(item, params.evidence)), params.normalization)
    said = bag(item.output, params.normalization)
    if not said or not there:
        return math.nan
    return (said & there).total() / said.total()


METRIC = per_output(
    name="k_precision",
    version=1,
    about="Share of the answer's words that stand in the texts it was to rest on.",
    formula="|words of the output ∩ words of the evidence| / |words of the output|, of bags",
    avoid=(
        "Answers in words of their own, and long evidence, in which most words stand. It sees no "
        "negation: copying every word in another order scores 1."
    ),
    params=KPrecisionParams,
    reads=("output", "prompt", "contexts"),
    needs=lambda params: grounding.reads(params.evidence),
    scores=(
        Score("k_precision", higher_is_better=True, high=1.0, about="share of words in evidence"),
    ),
    source=Source(
        paper="Adlakha et al. 2024, arXiv:2307.16877",
        reference="the definition over bags of words, with normalization: squad",
    ),
    measure=precision,
    interval="wilson",
)
