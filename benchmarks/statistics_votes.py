"""How often intervals of strengths, win rates and ranks hold the truth, and what choosing saves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from benchmarks.votes import Study, outcomes
from metrics.statistics.comparison_graph import comparison_graph
from metrics.statistics.crossed import between
from metrics.statistics.davidson import fit, probabilities
from metrics.statistics.pair_choice import Candidates, choose
from metrics.statistics.settling import settling
from metrics.statistics.strengths import Strengths, strengths
from metrics.statistics.votes import Votes, from_counts
from metrics.statistics.weights import Floats
from metrics.statistics.win_rates import win_rates

ITEMS = (30, 100, 300)
HEADINGS = ("five systems, three votes an item", "", *(f"{items} items" for items in ITEMS))
SETTLED_HEADINGS = ("two systems, three votes an item", *(f"{items} items" for items in ITEMS))
TYPICAL = 10
BATCHES = (5, 10, 20)
BATCH = 30
CHOSEN_HEADINGS = ("wrong orders of neighbours", *(f"{BATCH * n} votes" for n in BATCHES))
APART = (1.0, 0.5, 0.0, -0.5, -1.0)
STUDIES = {
    "20 annotators of one taste": Study(APART),
    "20 annotators, tastes 0.5 apart": Study(APART, taste=0.5),
    "6 annotators, tastes 0.8 apart": Study(APART, annotators=6, taste=0.8),
    "40 annotators, items 1.0 apart": Study(APART, annotators=40, item=1.0),
    "10 annotators, both 0.7 apart": Study(APART, annotators=10, taste=0.7, item=0.7),
    "strengths 2 apart": Study((4.0, 2.0, 0.0, -2.0, -4.0), tie=0.3),
    "equal systems, both 0.7 apart": Study((0.0,) * 5, taste=0.7, item=0.7),
}


@dataclass(frozen=True, slots=True)
class Held:
    """Of one set of votes: which intervals hold the truth."""

    strengths: float
    differences: float
    single: float
    win_rates: float
    ranks: float


WHAT = {
    "strengths": "strengths",
    "differences": "differences of two",
    "single": "the same, votes taken for independent",
    "win_rates": "win rates",
    "ranks": "all ranks at once",
}


def coverages(simulations: int) -> Iterator[Sequence[str]]:
    """A row for each study and each kind of interval, in per cent."""
    for name, study in STUDIES.items():
        cells = [_of_study(replace(study, items=items), simulations) for items in ITEMS]
        for field, what in WHAT.items():
            shares = [100 * np.mean([getattr(one, field) for one in cell]) for cell in cells]
            yield (name, what, *(f"{share:.1f}" for share in shares))


def _of_study(study: Study, simulations: int) -> list[Held]:
    rng, truth = np.random.default_rng([study.items, study.annotators]), study.truth()
    if len(set(study.strengths)) == 1:
        truth = np.zeros(len(study.strengths)), np.full(len(study.strengths), 0.5)
    return [_held(study, study.drawn(rng), *truth) for _ in range(simulations)]


def _held(study: Study, votes: Votes, truth: Floats, rates: Floats) -> Held:
    found, won = strengths(votes), win_rates(votes)
    upper = np.triu_indices(len(truth), 1)
    gaps = (truth[:, None] - truth[None, :])[upper]
    off = np.abs(found.differences.values[upper] - gaps)
    return Held(
        _inside(found.low, truth, found.high),
        _inside(found.differences.low[upper], gaps, found.differences.high[upper]),
        float((off <= 1.96 * _single(found)[upper]).mean()),
        _inside(won.low, rates, won.high),
        _ranks(found, study.planted),
    )


def _inside(low: Floats, truth: Floats, high: Floats) -> float:
    return float(((low <= truth) & (truth <= high)).mean())


def _single(found: Strengths) -> Floats:
    """(N, N) errors of the differences, by the model alone."""
    covariance = found.errors.least[: len(found.systems), : len(found.systems)]
    return np.asarray(np.sqrt(between(covariance)), np.float64)


def _ranks(found: Strengths, planted: Floats) -> float:
    """1 where all rank intervals hold the true ranks; equal systems have any rank that they
    share."""
    if found.ranks is None:
        return 0.0
    best = 1 + (planted[None, :] > planted[:, None]).sum(1)
    worst = (planted[None, :] >= planted[:, None]).sum(1)
    return float(((found.ranks.best <= best) & (worst <= found.ranks.worst)).all())


def choices(simulations: int) -> Iterator[Sequence[str]]:
    """A row for each way to ask: of six systems in three close pairs, how many of the five orders
    of neighbours the strengths have wrong after so many votes."""
    planted = np.array([3.0, 2.5, 0.0, -0.5, -3.0, -3.5])
    for way in ("chosen", "all pairs alike"):
        wrong = np.zeros(len(BATCHES))
        for seed in range(simulations):
            wrong += _wrong(np.random.default_rng(seed), planted, way == "chosen")
        yield (way, *(f"{share:.2f}" for share in wrong / simulations))


def _wrong(rng: np.random.Generator, planted: Floats, chosen: bool) -> Floats:
    n, found = len(planted), []
    wins, ties = np.zeros((n, n)), np.zeros((n, n))
    first, second = (np.tile(one, BATCH) for one in np.triu_indices(n, 1))
    for batch in range(1, max(BATCHES) + 1):
        at = rng.permutation(len(first))[:BATCH]
        if chosen:
            at = choose(wins, ties, Candidates(first, second, np.zeros_like(first)), BATCH)
        a, b = first[at], second[at]
        drawn = outcomes(rng, planted[a] - planted[b], 0.3)
        won, lost, tied = drawn > 0, drawn < 0, drawn == 0
        np.add.at(wins, (np.r_[a[won], b[lost]], np.r_[b[won], a[lost]]), 1)
        np.add.at(ties, (np.r_[a[tied], b[tied]], np.r_[b[tied], a[tied]]), 1)
        if batch in BATCHES:
            votes = from_counts([str(at) for at in range(n)], wins, ties)
            strength = fit(votes, comparison_graph(wins, ties)).strengths
            found.append(float((np.diff(strength) >= 0).sum()))
    return np.array(found)


def settled(simulations: int) -> Iterator[Sequence[str]]:
    """A row for each study of two systems: how often the votes that are said to settle their order
    at a power of 80% do, in per cent."""
    for name, study in (
        ("one taste", Study((0.1, 0.0), annotators=20)),
        ("tastes 0.3 apart", Study((0.1, 0.0), annotators=40, taste=0.3)),
    ):
        rng, cells = np.random.default_rng(0), []
        for items in ITEMS:
            cells.append(_settled(rng, replace(study, items=items), simulations))
        yield (name, *cells)


def _settled(rng: np.random.Generator, study: Study, simulations: int) -> str:
    """Asked of studies whose difference is the true one, each then held in so many more."""
    right, more = [], []
    for votes in _typical(rng, study):
        (now,) = settling(strengths(votes))
        if not now.votes:
            continue
        more.append(now.votes)
        share = 1 + now.votes / len(votes)
        larger = replace(
            study, items=round(study.items * share), annotators=round(study.annotators * share)
        )
        for _ in range(simulations // TYPICAL):
            found = strengths(larger.drawn(rng)).differences
            right.append(found.p_values[0, 1] < 0.05 and found.values[0, 1] > 0)
    return f"{100 * np.mean(right):.0f} ({np.median(more):.0f} more)"


def _typical(rng: np.random.Generator, study: Study) -> list[Votes]:
    """Of 100 drawn, those whose difference is nearest to what ever more votes would show: the
    log-odds of the shares of annotators of all tastes."""
    tastes = ndtri((np.arange(1000) + 0.5) / 1000) * study.taste * np.sqrt(2)
    first, second, _ = probabilities(study.strengths[0] - study.strengths[1] + tastes, study.tie)
    gap = np.log(first.mean() / second.mean())
    drawn = [study.drawn(rng) for _ in range(100)]
    off = [abs(strengths(one).differences.values[0, 1] - gap) for one in drawn]
    return [drawn[at] for at in np.argsort(off)[:TYPICAL].tolist()]
