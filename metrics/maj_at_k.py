"""maj@k: how often the commonest of k answers is right.

Conventions
    The answer of each output is taken and compared as `math_equal` does: `take` says how, numbers
    of one value are one answer, and so are texts that are equal once normalised. Outputs without an
    answer do not vote; without any vote the sample is wrong. Answers with equally many votes share
    the point: 1/2 where one of two is right. Of n outputs a sample, `maj@k` is the mean over all
    choices of k of them, exactly; without `k`, `maj` is the vote of all outputs. The value is the
    mean over samples. 0..1, higher is better; more outputs help where right answers agree with each
    other and wrong ones do not.

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> outputs = ("Ответ: 7", "Ответ: 7.0", "Ответ: 5", "не знаю, право\\nне знаю")
    >>> sample = Sample("1", outputs, references=("7",))
    >>> [score([sample], [METRIC.bind(p)])[0].scores[0].value for p in ({}, {"k": [1]})]
    [1.0, 0.5]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import comb

import numpy as np
from pydantic import field_validator
from xxhash import xxh64_intdigest

from inference.batching import plan_in_order
from inference.errors import InputError
from inference.protocol import Models
from inference.sentences import Sentence
from metrics.core.evidence import FLAG, Column, Evidence
from metrics.core.metric import Item, Metric, Sample, Score, Source, settle_only
from metrics.core.rows import Floats, Ints, Settled, mean
from metrics.text.equality import key
from metrics.text.verdicts import FLAGS, LIBRARIES, SolutionParams, verdicts

BATCH = 256  # outputs between two reports of progress
Sizes = tuple[int, ...]


class MajorityParams(SolutionParams):
    """What is the answer, and how many of them vote."""

    k: tuple[int, ...] = settle_only((), max_length=20, description="votes; none: all outputs")

    @field_validator("k")
    @classmethod
    def _distinct_and_positive(cls, k: tuple[int, ...]) -> tuple[int, ...]:
        if k and not 1 <= min(k) <= max(k) <= 128:
            raise ValueError("every k must be from 1 to 128")
        return tuple(sorted(set(k)))


def check(params: MajorityParams, samples: Sequence[Sample]) -> None:
    """Raises InputError where a sample has fewer outputs than the largest k."""
    most = max(params.k, default=1)
    for index, sample in enumerate(samples):
        if len(sample.outputs) < most:
            raise InputError(
                Sentence(
                    "maj@{most} needs at least {most} outputs a sample; samples[{index}] "
                    "({id!r}) has {outputs}",
                    most=most,
                    index=index,
                    id=sample.id,
                    outputs=len(sample.outputs),
                ),
                "params.k",
            )


def measure(items: Sequence[Item], params: MajorityParams, models: Models) -> Evidence:
    """`right` 0 or 1, and `vote`: 64 bits that equal answers share, 0 where there is none."""
    answers, right, flags = verdicts(items, params)
    votes = [0 if one is None else xxh64_intdigest(key(one).encode()) or 1 for one in answers]
    columns = {"right": Column(right), "vote": Column(np.array(votes, np.uint64))}
    return Evidence(columns | {FLAG: Column(flags)})


def settle(evidence: Evidence, unit: Ints, params: MajorityParams) -> Settled:
    """Rows (value for each k, or of all outputs, 1); NaN where fewer than k could be decided."""
    units = int(unit.max()) + 1
    order = np.argsort(unit, kind="stable")
    ends = np.cumsum(np.bincount(unit, minlength=units))[:-1]
    rows = np.ones((units, max(len(params.k), 1) + 1))
    for row, own in zip(rows, np.split(order, ends), strict=True):
        votes = evidence["vote"][own].tolist()
        right = dict(zip(votes, evidence["right"][own].tolist(), strict=True))
        for column, k in enumerate(params.k or (len(own),)):
            row[column] = majority(Counter(votes), right, k)
    return Settled(rows)


def majority(votes: Mapping[int, int], right: Mapping[int, int], k: int) -> float:
    """The chance that the commonest of k of the votes is right; votes for 0 are none."""
    blank = votes.get(0, 0)
    counted = {answer: count for answer, count in votes.items() if answer}
    if k > sum(votes.values()):
        return np.nan
    total = 0.0
    for answer, own in counted.items():
        if right[answer]:
            others = sorted(count for one, count in counted.items() if one != answer)
            total += _wins(own, tuple(others), blank, k)
    return total


@lru_cache(maxsize=4096)
def _wins(own: int, others: Sizes, blank: int, k: int) -> float:
    """The chance that an answer of `own` votes has the most of k drawn; ties are shared."""
    size = own + sum(others) + blank
    found = 0.0
    for votes in range(1, min(own, k) + 1):
        ways = np.zeros((k - votes + 1, (k - votes) // votes + 2))  # votes of others, of them tied
        ways[0, 0] = 1.0
        for other in others:
            ways = _with(ways, other, votes)
        for used in range(ways.shape[0]):
            rest = comb(blank, k - votes - used)
            if rest:
                shared = ways[used] / np.arange(1, ways.shape[1] + 1)
                found += comb(own, votes) * rest * float(shared.sum())
    return found / comb(size, k)


def _with(ways: Floats, other: int, votes: int) -> Floats:
    """`ways` with one more answer, of which up to `votes` are drawn: as many are a tie."""
    made = np.zeros_like(ways)
    for drawn in range(min(other, votes, len(ways) - 1) + 1):
        before = comb(other, drawn) * ways[: len(ways) - drawn]
        if drawn < votes:
            made[drawn:] += before
        else:
            made[drawn:, 1:] += before[:, :-1]
    return made


def scores(params: MajorityParams) -> tuple[Score, ...]:
    """One for each k, or `maj`."""
    if not params.k:
        return (Score("maj", higher_is_better=True, high=1.0, about="the vote of all is right"),)
    return tuple(Score(f"maj@{k}", True, 0.0, 1.0, f"the vote of {k} is right") for k in params.k)


def single(evidence: Evidence, params: MajorityParams) -> Floats:
    """(n_items, n_scores) whether each output is right; of maj@1 alone is that the mean."""
    right = evidence["right"].astype(np.float64)[:, None]
    return np.where(np.array(params.k or (0,)) == 1, right, np.nan)


METRIC = Metric(
    name="maj_at_k",
    version=1,
    about="How often the commonest of several answers is right (self-consistency).",
    formula="mean over choices of k outputs of [their commonest answer is right]; ties shared",
    avoid="Answers in free words, which hardly ever agree; formulas written in several ways.",
    params=MajorityParams,
    reads=("output", "references"),
    needs=("references",),
    scores=scores,
    interval="wilson",
    source=Source(
        paper="Wang et al. 2022, arXiv:2203.11171; Lewkowycz et al. 2022, arXiv:2206.14858 (maj@k)",
        reference="the definition, every choice of k counted; math-verify 0.9.0",
    ),
    measure=measure,
    settle=settle,
    reduce=mean,
    single=single,
    check=check,
    plan=lambda items, params, models: plan_in_order([1] * len(items), BATCH, BATCH),
    libraries=LIBRARIES,
    cached=True,
    independent=True,
    flags=FLAGS,
)
