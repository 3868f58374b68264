"""distinct-n and its expectation-adjusted form (EAD): how much of what was written is new.

Conventions
    Counted over all outputs of the set at once, never averaged over samples; a sample's several
    outputs add up. N_n distinct n-grams among C_n, none across the border of an output:
        distinct_n = N_n / C_n                      `denominator: tokens` divides by C_1 (Li et al.)
        ead_n = N_n / (V_n (1 - (1 - 1/V_n)^C_n))   what C_n uniform draws from V_n would show
    with V_n = V^n, V the `vocabulary_size`. The paper gives n = 1; for longer n-grams V^n are
    possible, so there EAD stays close to distinct_n. V is fixed beforehand, equal for all who are
    compared: 50,257 (GPT-2's) as in the authors' example, unless told. EAD lessens the bias
    against long texts, and does not remove it. It may exceed 1. Higher is more diverse.
    No n-gram at all: NaN.
    Tokens are case-sensitive runs between white space, unless told.

Rows
    Columns (N_1..N_4, C_1..C_4), integers. A sample's N_n counts the n-grams seen in it and in no
    sample before it, so the rows add up to the value whatever the sharding. A sample that is left
    out takes along only what occurs nowhere else: that is its `loss`, the jackknife's input.
    Exact, but for the tokens' 64-bit hashes: among a million different tokens, two share one
    with probability 3e-8.

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> samples = [Sample("1", ("a b a b",)), Sample("2", ("a c",))]
    >>> (result,) = score(samples, [METRIC.bind()])
    >>> {found.name: round(found.value, 3) for found in result.scores[:3]}
    {'distinct_1': 0.5, 'distinct_2': 0.75, 'distinct_3': 1.0}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from inference.protocol import Models
from inference.sentences import Sentence
from metrics.core.evidence import Column, Evidence
from metrics.core.metric import Item, Metric, Params, Score, Source, settle_only
from metrics.core.rows import Floats, Ints, Settled
from metrics.text.hashing import hash_words
from metrics.text.normalization import words

ORDERS = (1, 2, 3, 4)
# (-1)^j P(Bin(8, 1/2) >= j), j = 2, …, 8: the alternating sum, smoothed (Efron & Thisted 1976)
SMOOTH = np.array([247.0, -219.0, 163.0, -93.0, 37.0, -9.0, 1.0]) / 256


class DistinctParams(Params):
    """What a token is, and what is divided by what."""

    tokenizer: Literal["whitespace", "words", "characters"] = Field(
        "whitespace",
        description="`words`: runs of letters, marks and digits, each Han or kana character alone; "
        "`characters`: every one that is not white space",
    )
    lowercase: bool = False
    denominator: Literal["ngrams", "tokens"] = settle_only(
        "ngrams", description="distinct_n is divided by n-grams of that order, or by tokens"
    )
    vocabulary_size: int = settle_only(50257, ge=1, description="V of the expectation in EAD")


def measure(items: Sequence[Item], params: DistinctParams, models: Models) -> Evidence:
    """`tokens`: uint64 hashes of each output's tokens, ragged."""
    hashes, lengths = hash_words(spaced([item.output for item in items], params))
    return Evidence({"tokens": Column(hashes, lengths)})


def spaced(texts: Sequence[str], params: DistinctParams) -> list[str]:
    """The texts with white space between their tokens, and nowhere else."""
    found = [text.lower() for text in texts] if params.lowercase else list(texts)
    if params.tokenizer == "characters":
        return [" ".join(text) for text in found]
    if params.tokenizer == "words":
        import regex

        runs = regex.compile(r"[\p{L}\p{M}\p{N}_]+")
        return [" ".join(words(" ".join(runs.findall(text)), spaceless=True)) for text in found]
    return found


def settle(evidence: Evidence, unit: Ints, params: DistinctParams) -> Settled:
    """Rows and loss, (units, 8): see the module's docstring."""
    units = int(unit.max()) + 1 if len(unit) else 0
    lengths = evidence.lengths("tokens")
    totals = np.stack([_count(unit, units, np.maximum(lengths - n + 1, 0)) for n in ORDERS], 1)
    new = totals.copy()  # as if no n-gram occurred twice; what does is taken off below
    alone = totals.copy()
    owner = np.repeat(unit, lengths)  # (tokens,)
    shared = np.zeros(len(ORDERS))
    for n, (units_of_each, starts) in enumerate(_repeated(evidence["tokens"], lengths, owner)):
        again = np.bincount(units_of_each, minlength=units)
        first = np.minimum.reduceat(units_of_each, starts) if len(starts) else starts
        last = np.maximum.reduceat(units_of_each, starts) if len(starts) else starts
        new[:, n] += np.bincount(first, minlength=units) - again
        alone[:, n] += np.bincount(first[first == last], minlength=units) - again
        shared[n] = _shared(units_of_each, starts)
    rows = np.concatenate([new, totals], 1).astype(np.float64)
    loss = np.concatenate([alone, totals], 1).astype(np.float64)
    sums = rows.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = reduce(sums, params) / np.tile(sums[:4], 2)  # of a distinct n-gram, in the score
    together = np.nan_to_num(np.tile(shared, 2) * scale**2)
    return Settled(rows, loss, warnings=_warnings(sums, params), shared=together)


def _shared(units: Ints, starts: NDArray[np.intp]) -> float:
    """Σ (-1)^j w_j F_j over j >= 2, F_j the n-grams that exactly j units have; of two units the
    square of how many are theirs alone. See `metrics.statistics.paired_jackknife`.

    units  of every occurrence, n-gram after n-gram from `starts`, in ascending order in each
    """
    if not len(starts):
        return 0.0
    fresh = np.ones(len(units), np.bool_)  # the n-gram's first occurrence in a unit
    fresh[1:] = units[1:] != units[:-1]
    fresh[starts] = True
    having = np.add.reduceat(fresh, starts, dtype=np.int64)
    counts = np.bincount(having, minlength=len(SMOOTH) + 2)[2 : len(SMOOTH) + 2]
    two = starts[having == 2]
    ends = np.append(starts, len(units))[1:][having == 2] - 1
    pairs = np.unique(units[two] * (int(units.max()) + 1) + units[ends], return_counts=True)[1]
    found = counts.astype(np.float64)
    found[0] = float((pairs.astype(np.float64) ** 2).sum())
    return float(found @ SMOOTH)


def _count(unit: Ints, units: int, amounts: Ints) -> Ints:
    return np.bincount(unit, weights=amounts, minlength=units).astype(np.int64)


def _repeated(
    tokens: NDArray[np.generic], lengths: Ints, owner: Ints
) -> list[tuple[Ints, NDArray[np.intp]]]:
    """For each order, the n-grams that occur at least twice: the unit of every occurrence, n-gram
    after n-gram, and where each n-gram starts in that list.

    An n-gram can only repeat where both (n-1)-grams in it do, so each order sorts less than the
    one before, and the pair of their ranks names it exactly.
    """
    linked = np.ones(len(tokens), np.bool_)  # is the next token of the same output?
    linked[np.cumsum(lengths)[lengths > 0] - 1] = False
    at = np.arange(len(tokens))
    keys, bits = tokens.astype(np.uint64), 64
    found = []
    for _ in ORDERS:
        order = _order(keys, bits)
        ordered = keys[order]
        fresh = np.ones(len(ordered), np.bool_)
        np.not_equal(ordered[1:], ordered[:-1], out=fresh[1:])
        twice = ~fresh
        twice[:-1] |= ~fresh[1:]  # the first of several
        heads = fresh[twice]
        where = at[order[twice]]
        starts = np.flatnonzero(heads)
        found.append((owner[where], starts))

        rank = np.full(len(tokens) + 1, -1, np.int64)  # one more, for the last token's neighbour
        rank[where] = np.cumsum(heads) - 1
        at = np.flatnonzero((rank[:-1] >= 0) & (rank[1:] >= 0) & linked)
        width = max(len(starts) - 1, 1).bit_length()  # two ranks fit 64 bits below 2^32 n-grams
        keys = (rank[at] << width | rank[at + 1]).astype(np.uint64)
        bits = 2 * width
    return found


def _order(keys: NDArray[np.uint64], bits: int) -> NDArray[np.intp]:
    """What sorts keys below 2^bits: digits of 16 bits at a time, for which numpy has a radix sort
    (1.5 to 2.5 times as fast as its sort of the whole)."""
    order = np.argsort(keys.astype(np.uint16), kind="stable")
    for shift in range(16, bits, 16):
        digits = (keys >> np.uint64(shift)).astype(np.uint16)
        order = order[np.argsort(digits[order], kind="stable")]
    return order


def _warnings(sums: Floats, params: DistinctParams) -> tuple[Sentence, ...]:
    found = []
    if not sums.all():
        longest = max((n for n in ORDERS if sums[3 + n]), default=0)
        none = "no output has more than {longest} tokens: longer n-grams do not exist"
        found.append(Sentence(none, longest=longest))
    if sums[0] > params.vocabulary_size:
        found.append(
            Sentence(
                "{distinct} distinct tokens, more than vocabulary_size {size}: ead is not "
                "meaningful",
                distinct=int(sums[0]),
                size=params.vocabulary_size,
            )
        )
    return tuple(found)


def reduce(sums: Floats, params: DistinctParams) -> Floats:
    """(..., 8) -> distinct_1..4, ead_1..4, (..., 8)."""
    distinct, counts = sums[..., :4], sums[..., 4:]
    below = counts if params.denominator == "ngrams" else counts[..., :1]
    possible = float(params.vocabulary_size) ** np.array(ORDERS)
    with np.errstate(divide="ignore", invalid="ignore"):
        # V (1 - (1 - 1/V)^C), where 1 - 1/V rounds to 1 for a large V
        expected = -possible * np.expm1(counts * np.log1p(-1.0 / possible))
        return np.concatenate([distinct / below, distinct / expected], -1)


def ceiling(sums: Floats, params: DistinctParams) -> Floats:
    """(8,) the values if no n-gram occurred twice; sums (8,)."""
    return reduce(np.concatenate([sums[..., 4:], sums[..., 4:]], -1), params)


def scores(params: DistinctParams) -> tuple[Score, ...]:
    """distinct_1 to distinct_4, ead_1 to ead_4."""
    plain = [
        Score(f"distinct_{n}", higher_is_better=True, high=1.0, about=f"share of new {n}-grams")
        for n in ORDERS
    ]
    adjusted = [
        Score(f"ead_{n}", higher_is_better=True, about=f"distinct {n}-grams over their expectation")
        for n in ORDERS
    ]
    return (*plain, *adjusted)


METRIC = Metric(
    name="distinct_n",
    version=1,
    about="Diversity of a set of outputs: distinct n-grams among all, plain and adjusted.",
    formula=(
        "Nₙ / Cₙ: distinct n-grams of all outputs over all n-grams; ead_n over the number "
        "expected of random draws"
    ),
    avoid=(
        "Sets of unlike size or length: both change it. Nonsense is diverse, too: read it "
        "beside a measure of quality."
    ),
    params=DistinctParams,
    reads=("output",),
    needs=(),
    scores=scores,
    interval="jackknife",
    source=Source(
        paper="Li et al., 2016, A Diversity-Promoting Objective Function for Neural Conversation "
        "Models; Liu et al., 2022, Rethinking and Refining the Distinct Metric",
        reference="the definition; EAD: the authors' notebook, Expectation-Adjusted-Distinct",
    ),
    measure=measure,
    settle=settle,
    reduce=reduce,
    ceiling=ceiling,
    set_level=True,
    bulky=True,
)
