"""chrF and chrF++: how many character (and word) n-grams output and reference share.

Conventions
  The numbers are sacrebleu 2.6.0's. A sample's row is its statistics, integers equal to the bit:
      hyp_n, ref_n, match_n   for n = 1 … char_order in characters, then 1 … word_order in words
  The value is an F-score, recall weighing beta times precision, of their sums, from 0 to 100;
  higher is better. word_order 0 is chrF, 2 is chrF++. hyp_n is 0 where the reference has no n-gram
  of that order. Several references: the row is that of the one with the best score, of two
  equally good the first. Samples may differ in their number. Several outputs of a sample are
  pooled. Whitespace is left out of character n-grams unless `whitespace`.

Popović: chrF (WMT 2015), chrF++ (WMT 2017).

Example
  >>> from metrics.core.metric import Sample
  >>> from metrics.core.run import score
  >>> sample = Sample("1", outputs=("кошка сидит",), references=("кошка сидела",))
  >>> (result,) = score([sample], [METRIC.bind({"word_order": 2})])
  >>> round(result.scores[0].value, 2)
  54.81
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from inference.protocol import Models
from metrics.core.evidence import Column, Evidence
from metrics.core.metric import Item, Metric, Params, Score, Source
from metrics.core.rows import Floats, Ints
from metrics.text import ngrams
from metrics.text.passages import Passages, batches, passages

PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
EPSILON = 1e-16


class ChrfParams(Params):
    """Names and defaults are sacrebleu's."""

    char_order: int = Field(6, ge=1, le=16)
    word_order: int = Field(0, ge=0, le=16, description="2 for chrF++")
    beta: int = Field(2, ge=1, le=100, description="how much more recall weighs than precision")
    lowercase: bool = False
    whitespace: bool = Field(False, description="keep whitespace in character n-grams")
    eps_smoothing: bool = Field(False, description="average F over orders, as chrF++.py and NLTK")


def measure(items: Sequence[Item], params: ChrfParams, models: Models) -> Evidence:
    """Rows of int64, (n_items, 3 * (char_order + word_order))."""
    rows = [_statistics(passages(batch), params) for batch in batches(items)]
    empty = np.zeros((0, 3 * (params.char_order + params.word_order)), np.int64)
    return Evidence.of_rows(np.concatenate(rows) if rows else empty)


def _statistics(compared: Passages, params: ChrfParams) -> Ints:
    """Of every output with each of its references, the best: (n_items, 3 * orders)."""
    texts = [text.lower() if params.lowercase else text for text in compared.texts]
    kept = texts if params.whitespace else ["".join(text.split()) for text in texts]
    parts = [_triples(ngrams.characters(kept), compared, params.char_order)]
    if params.word_order:
        lines = [_words(text) for text in texts]
        lengths = np.array([len(line) for line in lines], np.int64)
        words = ngrams.words((word for line in lines for word in line), lengths)
        parts.append(_triples(words, compared, params.word_order))
    rows = np.concatenate(parts, axis=1)
    if len(rows) == len(compared.outputs):
        return rows
    f = reduce(rows.astype(np.float64), params)[:, 0]
    order = np.lexsort((np.arange(len(f)), -f, compared.owner))
    return rows[order[compared.first]]


def _triples(texts: Column, compared: Passages, order: int) -> Ints:
    """(n_references, 3 * order) hyp_n, ref_n, match_n of each reference with its output."""
    outputs = compared.outputs[compared.owner]
    lengths = np.diff(texts.offsets)
    ref = ngrams.count(lengths[compared.references], order)
    hyp = np.where(ref > 0, ngrams.count(lengths[outputs], order), 0)
    pairs = np.arange(len(outputs))
    match = ngrams.matches(texts, outputs, compared.references, pairs, order)
    return np.stack([hyp, ref, match], axis=2).reshape(len(outputs), 3 * order)


def _words(text: str) -> list[str]:
    """Words, with one punctuation mark cut off: the last character's, or else the first's."""
    words = []
    for word in text.split():
        if len(word) > 1 and word[-1] in PUNCTUATION:
            words += [word[:-1], word[-1]]
        elif len(word) > 1 and word[0] in PUNCTUATION:
            words += [word[0], word[1:]]
        else:
            words.append(word)
    return words


def reduce(sums: Floats, params: ChrfParams) -> Floats:
    """chrF of summed statistics, (..., 3 * orders) -> (..., 1); operations in sacrebleu's order."""
    orders = params.char_order + params.word_order
    hyp, ref, match = sums[..., 0::3], sums[..., 1::3], sums[..., 2::3]
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(hyp > 0, match / hyp, EPSILON)
        recall = np.where(ref > 0, match / ref, EPSILON)
    if params.eps_smoothing:
        f = _f_score(precision, recall, params.beta, EPSILON)
        return 100 * _add(f)[..., None] / orders
    counted = (hyp > 0) & (ref > 0)
    depth = np.maximum(counted.sum(axis=-1), 1)
    mean_precision = _add(np.where(counted, precision, 0.0)) / depth
    mean_recall = _add(np.where(counted, recall, 0.0)) / depth
    return 100 * _f_score(mean_precision, mean_recall, params.beta, 0.0)[..., None]


def _f_score(precision: Floats, recall: Floats, beta: int, otherwise: float) -> Floats:
    factor = beta**2
    denominator = factor * precision + recall
    with np.errstate(divide="ignore", invalid="ignore"):
        f = (1 + factor) * precision * recall / denominator
    return np.where(denominator > 0, f, otherwise)


def _add(values: Floats) -> Floats:
    """The sum over the last axis, one after the other."""
    total = np.zeros(values.shape[:-1])
    for n in range(values.shape[-1]):
        total = total + values[..., n]
    return total


METRIC = Metric(
    name="chrf",
    version=1,
    about="Character n-grams that output and reference share; with word n-grams it is chrF++.",
    formula="100 · (1 + β²) P R / (β² P + R), P and R means over character n-grams, n = 1 … 6",
    avoid=(
        "Open-ended answers, and very short ones; a fluent text about something else still "
        "shares letters."
    ),
    params=ChrfParams,
    reads=("output", "references"),
    needs=("output", "references"),
    scores=(Score("chrf", higher_is_better=True, low=0, high=100),),
    interval="bootstrap",
    pooling="pool",
    source=Source(
        paper="Popović 2015, https://aclanthology.org/W15-3049; 2017, W17-4770",
        reference="sacrebleu 2.6.0",
    ),
    measure=measure,
    reduce=reduce,
    libraries=("sacrebleu",),
)
