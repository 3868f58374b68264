"""Vendi score: how many texts that have nothing in common the set is worth.

    exp(-Σ λ log λ),   λ the eigenvalues of K / n, K the likeness of every two of n outputs

Conventions
    1 where all outputs are alike, n where no two have anything in common; higher is more diverse.
    The numbers are vendi-score 0.0.3's of the same likeness. `similarity: encoder` is the cosine of
    a sentence encoder's embeddings (vendi-score's `score_dual` and `score_X`); `ngrams` runs no
    model: the cosine of counts of n-grams, the mean over the orders 1 to `max_order`, of words in
    any script (its `ngram_vendi_score`; of texts shorter than `max_order` its likeness to
    themselves is below 1, ours is 1). `order` is the q of Rényi's entropy: above 1 rare texts count
    less, below 1 more.
    All outputs of all samples are one set, a sample's several ones like others. An output that is
    blank, or without a word where n-grams are compared, is missing: it is no text to be unlike.
    The score rises with n (at most n), so compare sets of one size; n is in the signature, and the
    interval is for sets of that size. It is the jackknife's: without each sample the score is
    what it would be computed anew (`statistics.principal`), except of orders above 1.8 and more
    than 200 samples, where first order does: simulated, 3 to 7 in 100 of equal systems are rejected
    at 5%. A bootstrap would draw texts twice, each the other's likeness.

Friedman, Dieng: The Vendi Score (TMLR 2023). Pasarkar, Dieng: Cousins of the Vendi Score (2024).

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> texts = ("кот спит", "кот спит", "it rains", "it rains")
    >>> samples = [Sample(str(at), (text,)) for at, text in enumerate(texts)]
    >>> (result,) = score(samples, [METRIC.bind({"similarity": "ngrams"})])
    >>> round(result.scores[0].value, 6)
    2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from inference.protocol import Models
from inference.sentences import Sentence
from metrics.core.embeddings import EmbeddingParams, embeddings, plan
from metrics.core.errors import TooManySamples
from metrics.core.evidence import FLAG, Column, Evidence
from metrics.core.metric import Flag, Item, Metric, Score, Source, settle_only
from metrics.core.rows import Floats, Ints, Settled
from metrics.statistics import principal
from metrics.text.hashing import hash_words
from metrics.text.kernels import ngram_kernel
from metrics.text.tokens import Cut, cutter

NO_TEXT = 1
ONE_BY_ONE = 200  # samples left out by eigenvalues of the others, at up to 10 ms each
MOST = 4000  # outputs whose n-grams are compared: 128 MB, and half a minute
NOTHING = 1e-12  # of an eigenvalue: rounding, where there is none


class VendiParams(EmbeddingParams):
    """What makes two texts alike, and how much rare ones count."""

    model: str = Field("builtin/minilm-l6", description="What embeds the texts; `encoder` only.")
    similarity: Literal["encoder", "ngrams"] = Field(
        "encoder", description="`encoder`: cosine of embeddings; `ngrams`: of counts of n-grams"
    )
    order: float = settle_only(1.0, gt=0, le=100, description="q of Rényi's entropy; 1: Shannon's")
    tokenizer: Cut = Field("words", description="of n-grams: what a token is, as in self_bleu")
    lowercase: bool = Field(False, description="before n-grams are counted")
    max_order: int = settle_only(4, ge=1, le=9, description="tokens of the longest n-grams")


def measure(items: Sequence[Item], params: VendiParams, models: Models) -> Evidence:
    """`output`: (D,) embeddings, or `tokens`: hashes, ragged; zeros, or none, without a text."""
    if params.similarity == "ngrams":
        cut = cutter(params.tokenizer, params.lowercase)
        hashes, lengths = hash_words([" ".join(cut(item.output)) for item in items])
        flags = np.where(lengths == 0, NO_TEXT, 0).astype(np.uint8)
        return Evidence({"tokens": Column(hashes, lengths), FLAG: Column(flags)})
    flags = np.array([0 if item.output.strip() else NO_TEXT for item in items], np.uint8)
    texts = list(dict.fromkeys(item.output for item in items if item.output.strip()))
    if not texts:
        texts = ["."]  # for the width
    row = {text: index for index, text in enumerate(texts)}
    vectors = embeddings(texts, params, models)
    found = vectors[[row.get(item.output, 0) for item in items]]
    return Evidence({"output": Column(found), FLAG: Column(flags)})


def settle(evidence: Evidence, unit: Ints, params: VendiParams) -> Settled:
    """Rows (units, 2): logarithms that the outputs bring along, outputs.

    The logarithm of the score is the mean of one number an output, as far as leaving one out
    changes it to first order; `loss` is what leaving a sample out changes indeed.
    """
    count, units = len(unit), int(unit.max(initial=-1)) + 1
    likeness = _likeness(evidence, params)
    spectrum = likeness.spectrum
    parts = spectrum.parts(params.order)
    outputs = np.bincount(unit, minlength=units).astype(np.float64)
    rows = np.column_stack([np.bincount(unit, parts, units), outputs])
    left = _without(likeness, spectrum, unit, outputs, params.order)
    loss = None
    if left is not None:
        loss = np.column_stack([rows[:, 0].sum() - left * (count - outputs), outputs])
    return Settled(rows, loss, signature={"n": str(count)})


def _without(
    likeness: Likeness, spectrum: Spectrum, unit: Ints, outputs: Floats, order: float
) -> Floats | None:
    """(units,) the score's logarithm without each; None where the rows tell it well enough."""
    units, few = len(outputs), len(outputs) <= ONE_BY_ONE
    if units < 2 or (order > principal.MOST and not few):
        return None
    left, dear = np.zeros(units), np.ones(units, np.bool_)
    if principal.LEAST <= order <= principal.MOST:
        dear = outputs > len(spectrum.values) / 8  # cheaper by eigenvalues of the others
        blocks = np.split(np.argsort(unit, kind="stable"), np.cumsum(outputs).astype(int)[:-1])
        left[~dear] = spectrum.without([blocks[at] for at in np.flatnonzero(~dear)], order)
    elif not few:
        raise TooManySamples(
            Sentence(
                "vendi of an order below {least:g} has no error of more than {most} samples, and "
                "there are {units}: score fewer, or take a larger order",
                least=principal.LEAST,
                most=ONE_BY_ONE,
                units=units,
            )
        )
    for one in np.flatnonzero(dear):
        left[one] = likeness.without(unit == one, order)
    return left


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Of a likeness over n: (m,) the eigenvalues above zero, (n, m) their eigenvectors."""

    values: Floats
    axes: Floats

    def parts(self, order: float) -> Floats:
        """(n,) their mean is the logarithm of the score, and what one has above it the derivative
        by how much its output weighs."""
        shares = len(self.axes) * self.axes**2  # of an output in a value, over the value
        if order == 1:
            return np.asarray(-shares @ (self.values * np.log(self.values)), np.float64)
        total = (self.values**order).sum()
        above = shares @ self.values**order / total - 1
        return np.asarray((np.log(total) + order * above) / (1 - order), np.float64)

    def without(self, blocks: Sequence[Ints], order: float) -> Floats:
        """(B,) the logarithm of the score without the outputs of each block."""
        n = len(self.axes)
        lost = principal.removed(self.values, self.axes, blocks, order)
        more = n / (n - np.array([len(one) for one in blocks]))  # of each eigenvalue of the others
        if order == 1:
            left = (self.values * np.log(self.values)).sum() - lost
            return np.asarray(-(more * left + np.log(more)), np.float64)
        left = (self.values**order).sum() - lost
        return np.asarray(np.log(more**order * left) / (1 - order), np.float64)


@dataclass(frozen=True, slots=True)
class Likeness:
    """Of every two of n outputs, (n, n), or the vectors of unit length that it is the product of,
    (n, D) with D < n: of those the `square`, D by D, is enough."""

    vectors: Floats
    square: Floats
    dual: bool

    @property
    def spectrum(self) -> Spectrum:
        """Of all outputs."""
        n = len(self.vectors)
        values, axes = np.linalg.eigh(self.square / n)
        kept = values > NOTHING
        values, axes = values[kept], axes[:, kept]
        return Spectrum(values, self.vectors @ axes / np.sqrt(n * values) if self.dual else axes)

    def without(self, left_out: np.ndarray[tuple[int], np.dtype[np.bool_]], order: float) -> float:
        """The score's logarithm of the other outputs."""
        if self.dual:
            own = self.vectors[left_out]
            rest = self.square - own.T @ own
        else:
            rest = self.square[np.ix_(~left_out, ~left_out)]
        values = np.linalg.eigvalsh(rest / max(int((~left_out).sum()), 1))
        values = values[values > NOTHING]
        if order == 1:
            return float(-(values * np.log(values)).sum())
        return float(np.log((values**order).sum()) / (1 - order))


def _likeness(evidence: Evidence, params: VendiParams) -> Likeness:
    if params.similarity == "ngrams":
        lengths = evidence.lengths("tokens")
        if len(lengths) > MOST:
            raise TooManySamples(
                Sentence(
                    "vendi compares the n-grams of every two outputs, of at most {most}, and "
                    "there are {outputs}: score fewer, or take similarity encoder",
                    most=MOST,
                    outputs=len(lengths),
                )
            )
        kernel = ngram_kernel(evidence["tokens"], lengths, params.max_order)
        return Likeness(kernel, kernel, False)
    vectors = evidence["output"].astype(np.float64)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), NOTHING)
    if vectors.shape[1] < len(vectors):
        return Likeness(vectors, vectors.T @ vectors, True)
    kernel = vectors @ vectors.T
    return Likeness(kernel, kernel, False)


def reduce(sums: Floats, params: VendiParams) -> Floats:
    """(..., 2) -> (..., 1)"""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.exp(sums[..., :1] / sums[..., 1:]), np.float64)


def ceiling(sums: Floats, params: VendiParams) -> Floats:
    """(1,) as many as there are outputs."""
    return sums[..., 1:]


METRIC = Metric(
    name="vendi",
    version=1,
    about="Diversity of a set of outputs: how many texts unlike each other it is worth.",
    formula="exp(−Σ λ log λ), λ the eigenvalues of the outputs' cosines over n",
    avoid=(
        "Sets of unlike size: more outputs are worth more. Nonsense is diverse, too. By encoder, "
        "languages that it does not know all look alike; cosines of E5 lie close to each other."
    ),
    params=VendiParams,
    reads=("output",),
    needs=(),
    scores=(Score("vendi", True, 1.0, about="effective number of outputs unlike each other"),),
    interval="jackknife",
    source=Source(
        paper="Friedman and Dieng 2023, https://arxiv.org/abs/2210.02410",
        reference="vendi-score 0.0.3",
    ),
    measure=measure,
    plan=plan,
    settle=settle,
    reduce=reduce,
    ceiling=ceiling,
    shares=False,
    set_level=True,
    libraries=lambda params: ("transformers",) if params.similarity == "encoder" else ("regex",),
    models=lambda params: (params.model,) if params.similarity == "encoder" else (),
    model_kind="embedding",
    flags={NO_TEXT: Flag("no text: nothing that could be unlike", missing=True)},
    cached=True,
    bulky=True,
)
