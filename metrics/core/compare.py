"""Results over the same units, score by score: how far apart, and whether that is real."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from metrics.core import absent
from metrics.core.alignment import (
    NO_SHARED_VALUE,
    Aligned,
    Draws,
    Grouping,
    Side,
    align,
    cells,
    refusal,
    refused_score,
)
from metrics.core.blocks import Block, block
from metrics.core.metric import BoundMetric
from metrics.core.pairs import Test, Testing, outcomes, resampled
from metrics.core.result import Result
from metrics.core.set_level import jackknifed
from metrics.statistics.clusters import effects_of_differences
from metrics.statistics.paired import Difference
from metrics.statistics.per_sample import binary

__all__ = ["Comparison", "Grouping", "Side", "Test", "Testing", "compare", "compare_many"]

DEFAULT = Testing()
REPLICATES = 1000  # of results that have none stored


@dataclass(frozen=True, slots=True)
class Comparison:
    """One score of two systems; a and b are their values over the units that both have.

    `error` says why there is no difference: unlike signatures, no shared units, no value.

    n               samples that both have; `only_a`, `only_b`: on which one alone has a value
    unvoted_a, _b  those of the other's own on which it has none by design
    rated           of the n, that people rated, of a score that goes by ratings; of two numbers, as
                    each system may have ratings of its own, the lesser
    clusters        that were resampled; None: samples
    wins … losses   samples on which a is better, neither is, b is; None for set-level metrics
    bounds          of a - b, whatever the values would be that one of the two lacks: see `absent`
    design_effect   by how much clusters multiply the difference's variance; None: not known
    """

    name: str
    a: float | None
    b: float | None
    difference: Difference | None
    error: str | None = None
    n: int = 0
    only_a: int = 0
    only_b: int = 0
    clusters: int | None = None
    wins: int | None = None
    ties: int | None = None
    losses: int | None = None
    warnings: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    design_effect: float | None = None
    rated: int | None = None
    unvoted_a: int = 0
    unvoted_b: int = 0


def compare(
    metric: BoundMetric,
    a: Result,
    ids_a: Sequence[str],
    b: Result,
    ids_b: Sequence[str],
    testing: Testing = DEFAULT,
) -> tuple[Comparison, ...]:
    """One Comparison a score of two systems: see `compare_many`."""
    return compare_many(metric, [Side(a, ids_a), Side(b, ids_b)], [(0, 1)], testing)[0]


def compare_many(
    metric: BoundMetric,
    sides: Sequence[Side],
    pairs: Sequence[tuple[int, int]],
    testing: Testing = DEFAULT,
    *,
    grouping: Grouping | None = None,
    chosen: Collection[str] | None = None,
) -> list[tuple[Comparison, ...]]:
    """A tuple a pair of systems (indices of `sides`), a Comparison a score; no metric runs again.

    grouping  samples that are resampled together
    chosen    ids of the slice to compare over

    Units are matched by id; those that only one of a pair has, or that count for only one, are left
    out of it. What a pair is told does not depend on the other pairs, but for `testing.tests`.
    Metrics whose interval is the jackknife's are tested by it, whichever test is asked for (the
    difference's `test` says so), and only over equal sets of units: their rows depend on the set.
    """
    aligned = align(sides, chosen)
    set_bound = metric.interval == "jackknife"
    asked = [
        _Asked(
            _refusals(metric, sides, aligned, (a, b), grouping),
            aligned.only(a, b),
            aligned.only(b, a),
            (int(aligned.spared[b, a]), int(aligned.spared[a, b])),
            partial(absent.bounds, metric, sides, aligned, (a, b)),
        )
        for a, b in pairs
    ]
    names = metric.score_names
    found: list[tuple[Comparison, ...]] = [
        tuple(map(one.refusal, names, one.whys)) if all(one.whys) else () for one in asked
    ]
    live = [at for at, told in enumerate(found) if not told]
    draws = _draws(sides, [pairs[at] for at in live], testing)
    for cell in cells(aligned, [pairs[at] for at in live], draws, set_bound):
        given = block(metric, sides, aligned, cell, grouping)
        places = [live[index] for index in cell.pairs.tolist()]
        tests = _told(given, [asked[at] for at in places], testing, grouping, chosen)
        for at, told in zip(places, tests, strict=True):
            found[at] = told
    return found


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is known of a pair before it is tested: why not, by score, who lacks how many, and what
    that could do."""

    whys: Sequence[str | None]
    only_a: int
    only_b: int
    unvoted: tuple[int, int]  # of only_b by a, of only_a by b
    bounds: Callable[[int], tuple[float, float] | None]  # of a score

    def refusal(self, name: str, why: str | None, n: int = 0) -> Comparison:
        """A score that is not compared; `n` samples are shared."""
        return Comparison(name, None, None, None, why, n, self.only_a, self.only_b)


def _told(
    given: Block,
    asked: Sequence[_Asked],
    testing: Testing,
    grouping: Grouping | None,
    chosen: Collection[str] | None,
) -> list[tuple[Comparison, ...]]:
    """A tuple a pair of the cell."""
    if given.metric.interval == "jackknife":
        differences = jackknifed(given)
    else:
        field = None if grouping is None else grouping.field
        differences = resampled(given, testing, field, whole=chosen is None)
    counts = None if given.samples is None else outcomes(given)
    refused = _untestable(given, testing.test)
    warned = _warnings(given, testing.test)
    ends = zip(given.cell.left.tolist(), given.cell.right.tolist(), strict=True)
    scores = list(enumerate(given.metric.score_names))
    values = given.values.tolist()
    effects, rated = _design_effects(given), given.rated
    by_people = np.isfinite(rated[0])
    groups = None if given.found is None else len(given.found.names)

    def one(at: int, pair: tuple[int, int], s: int, name: str) -> Comparison:
        of, found = asked[at], differences[at][s]
        if of.whys[s]:
            return of.refusal(name, of.whys[s])
        if refused[s] is not None:
            return of.refusal(name, refused[s], given.n)
        if not math.isfinite(found.value):
            return of.refusal(name, NO_SHARED_VALUE, given.n)
        a, b = (values[end][s] for end in pair)
        own = (None, None, None) if counts is None else counts[at][s]
        wins, ties, losses = own
        return Comparison(
            *(name, a, b, found, None, given.n, of.only_a, of.only_b),
            *(groups, wins, ties, losses, warned[s]),
            bounds=of.bounds(s) if of.only_a or of.only_b else None,
            design_effect=None if effects is None else effects[at][s],
            rated=min(int(rated[end][s]) for end in pair) if by_people[s] else None,
            unvoted_a=of.unvoted[0],
            unvoted_b=of.unvoted[1],
        )

    return [tuple([one(at, pair, s, name) for s, name in scores]) for at, pair in enumerate(ends)]


def _design_effects(given: Block) -> list[list[float | None]] | None:
    """A list a pair, a score each, None where there is no variance; None without clusters."""
    if given.found is None:
        return None
    cell, reduce = given.cell, given.metric.reduce
    found = effects_of_differences(given.single, given.found, reduce, cell.left, cell.right)
    return [[one if math.isfinite(one) else None for one in row] for row in found.tolist()]


def _untestable(given: Block, test: Test) -> list[str | None]:
    """Why a score's values do not allow the test that is asked for, if so."""
    names = given.metric.score_names
    if test != "mcnemar" or given.samples is None:
        return [None] * len(names)
    if given.found is not None:
        why = "mcnemar takes samples for independent: with clusters, take paired_bootstrap or t"
        return [why] * len(names)
    yes = binary(given.samples.reshape(-1, len(names)))
    return [
        None
        if one
        else f"mcnemar is for values of 0 or 1, and {name} has others: take wilcoxon or t"
        for name, one in zip(names, yes.tolist(), strict=True)
    ]


def _warnings(given: Block, test: Test) -> list[tuple[str, ...]]:
    """What a reader of the test has to know."""
    names = given.metric.score_names
    if given.samples is None or test not in ("t", "wilcoxon"):
        return [()] * len(names)
    return [
        () if mean else (f"{test} tests the samples' own values, and {name} is not their mean",)
        for name, mean in zip(names, given.means.tolist(), strict=True)
    ]


def _refusals(
    metric: BoundMetric,
    sides: Sequence[Side],
    aligned: Aligned,
    pair: tuple[int, int],
    grouping: Grouping | None,
) -> list[str | None]:
    """A sentence a score that must not be compared."""
    why = refusal(metric, sides, aligned, pair, grouping)
    a, b = (sides[at].result.scores for at in pair)
    return [refused_score(*one) or why for one in zip(metric.scores, a, b, strict=True)]


def _draws(
    sides: Sequence[Side], pairs: Sequence[tuple[int, int]], testing: Testing
) -> list[Draws]:
    """What the evaluations themselves were drawn by. Of two unlike ones the lesser seed, the more
    replicates and the higher level, so that their order does not matter."""
    results = [side.result for side in sides]
    seeds = [one.seed for one in results]
    stored = [0 if one.replicates is None else len(one.replicates) for one in results]
    levels = [max(score.level for score in one.scores) for one in results]
    made: dict[Draws, Draws] = {}  # few that are unlike: one of each
    found = []
    for a, b in pairs:
        one = Draws(
            seed=min(seeds[a], seeds[b]),
            replicates=testing.replicates or max(stored[a], stored[b]) or REPLICATES,
            level=testing.level or max(levels[a], levels[b]),
        )
        found.append(made.setdefault(one, one))
    return found
