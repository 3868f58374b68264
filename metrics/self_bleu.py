"""Self-BLEU: how much the outputs of a set resemble each other.

Conventions
    BLEU of each output with all other outputs of the set as references, averaged over outputs: the
    number of NLTK 3.10's sentence_bleu with smoothing method1, of the same tokens (`tokenizer:
    whitespace` for texts that are tokenized already). 0 to 1; lower is more diverse. It rises with
    the number of outputs, so compare sets of one size, and its interval is for sets of that size.
    A sample's several outputs are outputs like others. Outputs without tokens count as missing; a
    single output has no value.

    One pass: of each n-gram, the two texts that have most of it say what the others of each have.
    The interval is the jackknife's: what a sample that is left out takes from the others' values is
    counted exactly. A bootstrap would draw texts twice, each the other's perfect match.

Zhu et al.: Texygen (SIGIR 2018).

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> samples = [Sample(str(at), ("кот спит на диване",)) for at in range(2)]
    >>> samples.append(Sample("2", ("завтра будет сильный дождь",)))
    >>> (result,) = score(samples, [METRIC.bind()])
    >>> round(result.scores[0].value, 3)
    0.667
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from inference.protocol import Models
from inference.sentences import Sentence
from metrics.core.evidence import FLAG, Column, Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Score, Source
from metrics.core.rows import Floats, Ints, Settled, mean
from metrics.text.hashing import hash_words
from metrics.text.ngrams import count
from metrics.text.others import Lost, closest, shared
from metrics.text.tokens import Cut, cutter

NO_WORDS = 1  # the flag of an output without tokens
EPSILON = 0.1  # in place of no match, NLTK's


class SelfBleuParams(Params):
    """What a token is, and how long n-grams are."""

    tokenizer: Cut = Field(
        "words",
        description="`words`: letters and digits of any script, Han, kana and emoji one by one; "
        "`whitespace`: as NLTK's examples; `characters`",
    )
    lowercase: bool = False
    max_order: int = Field(4, ge=1, le=9, description="tokens of the longest n-grams")


def measure(items: Sequence[Item], params: SelfBleuParams, models: Models) -> Evidence:
    """`tokens`: uint64 hashes of each output's tokens, ragged."""
    cut = cutter(params.tokenizer, params.lowercase)
    hashes, lengths = hash_words([" ".join(cut(item.output)) for item in items])
    flags = np.where(lengths == 0, NO_WORDS, 0).astype(np.uint8)
    return Evidence({"tokens": Column(hashes, lengths), FLAG: Column(flags)})


def settle(evidence: Evidence, unit: Ints, params: SelfBleuParams) -> Settled:
    """Rows (units, 2): sum of the outputs' BLEU, outputs; and what leaving a unit out takes."""
    lengths, units = evidence.lengths("tokens"), int(unit.max(initial=-1)) + 1
    if len(lengths) < 2:
        alone = Sentence("self-BLEU needs two outputs with words at least")
        return Settled(np.zeros((units, 2)), np.zeros((units, 2)), warnings=(alone,))
    matched, lost = shared(evidence["tokens"], lengths, unit, params.max_order)
    totals, nearest = count(lengths, params.max_order), closest(lengths, lengths)
    values = np.array(list(map(_bleu, matched.tolist(), totals.tolist(), lengths, nearest)))
    rows = np.column_stack(
        [np.bincount(unit, values, units), np.bincount(unit, minlength=units)]
    ).astype(np.float64)
    # texts whose value changes without a unit, as (text, unit) pairs, and to what
    pairs, amounts, reference = _changes(lost, lengths, unit, nearest)
    text, without = pairs // units, pairs % units
    before = _bleus(matched[text], totals[text], lengths[text], nearest[text])
    after = _bleus(matched[text] - amounts, totals[text], lengths[text], reference)
    loss = rows.copy()
    loss[:, 0] += np.bincount(without, before - after, units)
    return Settled(rows, loss)


def _bleu(matched: Sequence[int], totals: Sequence[int], length: int, nearest: int) -> float:
    """One text's BLEU, in NLTK's order of operations."""
    if not matched[0]:
        return 0.0
    shares = [
        (hits or EPSILON) / max(1, total) for hits, total in zip(matched, totals, strict=True)
    ]
    weight = 1 / len(shares)
    brevity = 1.0 if length > nearest else math.exp(1 - nearest / length)
    return brevity * math.exp(math.fsum(weight * math.log(share) for share in shares))


def _bleus(matched: Ints, totals: Ints, lengths: Ints, nearest: Ints) -> Floats:
    """(n,) the same of many texts, but for the last digits."""
    shares = np.where(matched > 0, matched, EPSILON) / np.maximum(totals, 1)
    brevity = np.exp(np.minimum(1 - nearest / lengths, 0.0))
    return np.where(matched[:, 0] > 0, brevity * np.exp(np.log(shares).mean(1)), 0.0)


def _changes(lost: list[Lost], lengths: Ints, unit: Ints, nearest: Ints) -> tuple[Ints, Ints, Ints]:
    """Texts that change when a unit is left out, as text * units + unit (P,); matches of each order
    that they lose (P, order); and the nearest length that is left (P,).
    """
    units = int(unit.max()) + 1
    keys = [one.text * units + one.unit for one in lost]
    moved, reference = _moved(lengths, unit, nearest)
    pairs = np.unique(np.concatenate([*keys, moved]))
    amounts = np.zeros((len(pairs), len(lost)), np.int64)
    for n, (key, one) in enumerate(zip(keys, lost, strict=True)):
        amounts[:, n] = np.bincount(np.searchsorted(pairs, key), one.amount, len(pairs))
    left = nearest[pairs // units]
    left[np.searchsorted(pairs, moved)] = reference
    return pairs, amounts, left


def _moved(lengths: Ints, unit: Ints, nearest: Ints) -> tuple[Ints, Ints]:
    """Texts whose nearest length is another without a unit, as in `_changes`, and that length.

    Only units that have all but one text of some length, or all, are tried: at most two a length.
    """
    units = int(unit.max()) + 1
    own, counts = np.unique(lengths * units + unit, return_counts=True)
    rare = np.unique((own % units)[np.bincount(lengths)[own // units] - counts <= 1])
    pairs, reference = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for one in rare.tolist():
        kept = np.flatnonzero(unit != one)
        without = closest(lengths[kept], lengths[kept])
        other = without != nearest[kept]
        pairs.append(kept[other] * units + one)
        reference.append(without[other])
    return np.concatenate(pairs), np.concatenate(reference)


METRIC = Metric(
    name="self_bleu",
    version=1,
    about="How much a set's outputs resemble each other: BLEU of each with all others.",
    formula="mean over outputs of BLEU against all other outputs, zero matches smoothed to 0.1",
    avoid=(
        "Sets of unlike size: more outputs resemble each other more. Outputs of one prompt beside "
        "those of many."
    ),
    params=SelfBleuParams,
    reads=("output",),
    needs=(),
    scores=(Score("self_bleu", higher_is_better=False, high=1, about="likeness of the outputs"),),
    interval="jackknife",
    source=Source(
        paper="Zhu et al. 2018, https://arxiv.org/abs/1802.01886",
        reference="NLTK 3.10.4, sentence_bleu with smoothing method1",
    ),
    measure=measure,
    settle=settle,
    reduce=mean,
    set_level=True,
    bulky=True,
    libraries=lambda params: ("regex",) if params.tokenizer == "words" else (),
    flags={NO_WORDS: Flag("no words: nothing that could resemble", missing=True)},
)
