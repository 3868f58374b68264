"""GLEU, Google's BLEU for single sentences: shared n-grams, over those of the longer text.

Conventions
    The numbers are NLTK 3.10's, of the same tokens: `tokenizer: whitespace` for texts that are
    tokenized already. Matches of all n-grams of 1 to `max_order` tokens, over the n-grams of the
    output or the reference, whichever has more: the smaller of precision and recall. Of several
    references the one with the highest value counts. 0 to 1, higher is better. A sample's value is
    NLTK's sentence_gleu; the set's, corpus_gleu, adds up both counts: long samples weigh more.
    Several outputs of a sample are pooled. An empty output scores 0; beside an empty reference it
    has no value of its own, and counts in no sum.

Wu et al.: Google's Neural Machine Translation System (2016). Not the GLEU of grammatical error
correction (Napoles et al., 2015).

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> sample = Sample("1", ("кот спит на диване",), references=("кот спит на красном диване",))
    >>> (result,) = score([sample], [METRIC.bind()])
    >>> result.scores[0].value  # 4 words, 2 pairs and a triple of 14 n-grams
    0.5
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Item, Metric, Params, Score, Source
from metrics.core.rows import Floats, Ints
from metrics.text import ngrams
from metrics.text.passages import Passages, batches, passages
from metrics.text.tokens import Cut, columns


class GleuParams(Params):
    """What a token is, and how long n-grams are."""

    tokenizer: Cut = Field(
        "words",
        description="`words`: letters and digits of any script, Han, kana and emoji one by one; "
        "`whitespace`: as NLTK's examples; `characters`",
    )
    lowercase: bool = False
    max_order: int = Field(4, ge=1, le=16, description="tokens of the longest n-grams")


def measure(items: Sequence[Item], params: GleuParams, models: Models) -> Evidence:
    """Rows of int64, (n_items, 2): matches, n-grams of the longer of output and reference."""
    rows = [_rows(passages(batch), params) for batch in batches(items)]
    return Evidence.of_rows(np.concatenate(rows) if rows else np.zeros((0, 2), np.int64))


def _rows(compared: Passages, params: GleuParams) -> Ints:
    texts = columns(compared.texts, params.tokenizer, params.lowercase)
    totals = ngrams.count(texts.sizes, params.max_order).sum(1)
    outputs, references = compared.outputs[compared.owner], compared.references
    pairs = np.arange(len(outputs))
    matched = ngrams.matches(texts, outputs, references, pairs, params.max_order).sum(1)
    whole = np.maximum(totals[outputs], totals[references])
    share = np.where(whole > 0, matched / np.maximum(whole, 1), -1.0)
    best = np.lexsort((pairs, -share, compared.owner))[compared.first]  # of equal ones the first
    return np.column_stack([matched[best], whole[best]])


def reduce(sums: Floats, params: GleuParams) -> Floats:
    """GLEU of summed counts, (..., 2) -> (..., 1)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(sums[..., :1] / sums[..., 1:], np.float64)


METRIC = Metric(
    name="gleu",
    version=1,
    about="N-grams shared with a reference, over those of the longer text: BLEU for sentences.",
    formula="matches of 1- to 4-grams / the larger of the n-grams of output and reference",
    avoid="Open-ended answers; comparison with published BLEU: it is another number.",
    params=GleuParams,
    reads=("output", "references"),
    needs=("output", "references"),
    scores=(Score("gleu", higher_is_better=True, low=0, high=1),),
    interval="bootstrap_t",
    pooling="pool",
    source=Source(
        paper="Wu et al. 2016, https://arxiv.org/abs/1609.08144", reference="NLTK 3.10.4"
    ),
    measure=measure,
    reduce=reduce,
    libraries=lambda params: ("regex",) if params.tokenizer == "words" else (),
)
