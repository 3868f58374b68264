"""Two results over the same units, score by score: how far apart, and whether that is real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from metrics.core.metric import BoundMetric
from metrics.core.result import Result, ScoreValue
from metrics.core.rows import Floats, Ints
from metrics.core.signature import difference
from metrics.statistics import paired
from metrics.statistics.intervals import Reduce, evaluate
from metrics.statistics.paired import Difference, Recipe
from metrics.statistics.weights import Keys, totals, unit_keys

Test = Literal["paired_bootstrap", "approximate_randomization"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One score of two systems; a and b are their values over the units that both have.

    `error` says why there is no difference: unlike signatures, no shared units, no value.
    """

    name: str
    a: float | None
    b: float | None
    difference: Difference | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Testing:
    """How to test: the defaults are the ones to use unless comparability asks for others."""

    test: Test = "paired_bootstrap"
    recipe: Recipe = "centred"
    replicates: int = 1000  # of the bootstrap
    trials: int = 10_000  # of approximate randomization
    level: float = 0.95  # of the difference's interval


@dataclass(frozen=True, slots=True)
class Pair:
    """Two results, and where the units to compare stand in them."""

    a: Result
    b: Result
    at_a: Ints
    at_b: Ints
    keys: Keys
    reduce: Reduce

    @property
    def rows(self) -> tuple[Floats, Floats]:
        """(n, C) the rows of the units to compare, of a and of b."""
        return self.a.settled.rows[self.at_a], self.b.settled.rows[self.at_b]


def compare(
    metric: BoundMetric,
    a: Result,
    ids_a: Sequence[str],
    b: Result,
    ids_b: Sequence[str],
    testing: Testing = Testing(),
) -> tuple[Comparison, ...]:
    """One Comparison a score, from what is stored; no metric is run again.

    Units are matched by id; those that only one system has, or that count for only one, are left
    out. Metrics whose interval is the jackknife's are tested by it, whichever test is asked for
    (the difference's `test` says so), and only over equal sets of units: their rows depend on the
    set.
    """
    at_a, at_b = paired.shared(ids_a, ids_b)
    set_bound = metric.interval == "jackknife"
    if not set_bound:
        counted = ~(a.missing[at_a] | b.missing[at_b])
        at_a, at_b = at_a[counted], at_b[counted]
    unlike = None
    if set_bound and not len(at_a) == len(ids_a) == len(ids_b):
        unlike = f"{metric.name} depends on the whole set, and the sets differ"
    elif not len(at_a):
        unlike = "no unit counts in both"
    refusals = [_refusal(x, y) or unlike for x, y in zip(a.scores, b.scores, strict=True)]
    if all(refusals):
        names = [score.name for score in a.scores]
        return tuple(map(_refused, names, refusals))

    keys = unit_keys([ids_a[index] for index in at_a])
    pair = Pair(a, b, at_a, at_b, keys, metric.reduce)
    differences = (_jackknifed if set_bound else _resampled)(pair, testing)
    values = [evaluate(pair.reduce, totals(rows)).tolist() for rows in pair.rows]
    return tuple(
        _refused(score.name, refusal) if refusal else _found(score.name, *found)
        for score, refusal, *found in zip(a.scores, refusals, *values, differences, strict=True)
    )


def _jackknifed(pair: Pair, testing: Testing) -> tuple[Difference, ...]:
    a, b = pair.a.settled, pair.b.settled
    variances = [one.variance for one in (a, b) if one.variance is not None]
    return paired.paired_jackknife(
        *pair.rows,
        pair.keys,
        pair.reduce,
        loss_a=None if a.loss is None else a.loss[pair.at_a],
        loss_b=None if b.loss is None else b.loss[pair.at_b],
        variance=np.sum(variances, axis=0) if variances else None,
        level=testing.level,
    )


def _resampled(pair: Pair, testing: Testing) -> tuple[Difference, ...]:
    rows_a, rows_b = pair.rows
    seed, level = pair.a.seed, testing.level
    if testing.test == "approximate_randomization":
        return paired.approximate_randomization(
            rows_a,
            rows_b,
            pair.keys,
            pair.reduce,
            seed=seed,
            trials=testing.trials,
            replicates=testing.replicates,
            level=level,
        )
    drawn_a, drawn_b = (_stored(one, pair, testing) for one in (pair.a, pair.b))
    if drawn_a is not None and drawn_b is not None and pair.a.seed == pair.b.seed:
        return paired.from_replicates(
            drawn_a,
            drawn_b,
            evaluate(pair.reduce, totals(rows_a)),
            evaluate(pair.reduce, totals(rows_b)),
            units=len(pair.keys),
            level=level,
            recipe=testing.recipe,
        )
    return paired.paired_bootstrap(
        rows_a,
        rows_b,
        pair.keys,
        pair.reduce,
        seed=seed,
        replicates=testing.replicates,
        level=level,
        recipe=testing.recipe,
    )


def _stored(result: Result, pair: Pair, testing: Testing) -> Floats | None:
    """The result's replicates, where they are over the units compared and as many as asked for."""
    drawn = result.replicates
    counted = int((~result.missing).sum())
    fits = drawn is not None and len(drawn) == testing.replicates and counted == len(pair.keys)
    return drawn if fits else None


def _refusal(a: ScoreValue, b: ScoreValue) -> str | None:
    """Why two values of one score must not be compared, if so."""
    if a.error or b.error:
        return a.error or b.error
    if a.signature != b.signature:
        return f"signatures differ: {'; '.join(difference(a.signature, b.signature))}"
    return None


def _refused(name: str, error: str | None) -> Comparison:
    return Comparison(name, None, None, None, error)


def _found(name: str, a: float, b: float, difference: Difference) -> Comparison:
    known = bool(np.isfinite(difference.value))
    if known:
        return Comparison(name, a, b, difference)
    return Comparison(name, None, None, None, "no value over the units that both have")
