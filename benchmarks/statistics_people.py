"""How often 95% intervals of people's ratings, labels and choices contain the truth.

`make statistics ARGS="--only people_agreement people_ratings people_choices people_labels
people_outliers --simulations 1000"` prints the tables of docs/statistics.md, "People's ratings".
Percentages are of the data sets; of several values in one, of all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

import numpy as np

from metrics.core.rows import Floats
from metrics.statistics import agreement, annotators, best_worst, labels, ratings
from metrics.statistics.annotations import Annotations, Ints
from metrics.statistics.best_worst import Choices
from metrics.statistics.designs import assignments, balanced
from metrics.statistics.estimates import Estimate, Estimates
from metrics.statistics.ratings import Ratings

ITEMS = (20, 50, 200)
PANELS = (3, 5, 10, 20)
VOTED = (50, 200, 1000)
DRAWN = 500  # resamples
AGREEMENT = ("agreement of 3 people", *(f"{n} items" for n in ITEMS))
RATINGS = ("3 systems, 40 items, 3 votes an output", *(f"{J} annotators" for J in PANELS))
CHOICES = ("6 systems, 10 tuples of 4 an annotator", *(f"{J} annotators" for J in PANELS))
LABELS = ("4 annotators, right in 75 to 85%", *(f"{n} items" for n in VOTED))
OUTLIERS = ("200 items, 3 votes each", *(f"{J} annotators" for J in (5, 10, 20)))

Rows = Callable[[int], Iterator[Sequence[str]]]


def held(found: Estimate | Estimates, truth: float | Floats) -> float:
    """The share of intervals that contain the truth, among those that were given."""
    low, high = np.atleast_1d(found.low), np.atleast_1d(found.high)
    given = np.isfinite(low) & np.isfinite(high)
    return float(((low <= truth) & (truth <= high))[given].mean()) if given.any() else np.nan


def per_cent(each: Sequence[float]) -> str:
    """Of data sets that say anything."""
    known = np.array(each)[np.isfinite(each)]
    return f"{100 * known.mean():.1f}" if len(known) else "–"


def agreements(simulations: int) -> Iterator[Sequence[str]]:
    """Ratings of 1 to 5, an item's own with probability p and any otherwise: every coefficient that
    knows chance is p², percent agreement p² + (1 - p²) / 5."""
    for p in (0.5, 0.8):
        found: dict[str, list[list[float]]] = {}
        for n in ITEMS:
            chance = np.random.default_rng([n, int(100 * p)])
            for at in range(simulations):
                own = chance.integers(1, 6, (n, 1))
                values = np.where(chance.random((n, 3)) < p, own, chance.integers(1, 6, (n, 3)))
                for name, one in _coefficients(values.astype(np.float64), at).items():
                    truth = p**2 if name != "percent agreement" else p**2 + (1 - p**2) / 5
                    cells = found.setdefault(name, [[] for _ in ITEMS])
                    cells[ITEMS.index(n)].append(held(one, truth))
        for name, cells in found.items():
            yield (f"{name}, {p**2:.2f} beyond chance", *map(per_cent, cells))


def _coefficients(values: Floats, seed: int) -> Mapping[str, Estimate]:
    first, second = values[:, 0], values[:, 1]
    return {
        "alpha, nominal": agreement.krippendorff(values, "nominal", seed=seed, replicates=DRAWN),
        "alpha, ordinal": agreement.krippendorff(values, "ordinal", seed=seed, replicates=DRAWN),
        "alpha, interval": agreement.krippendorff(values, "interval", seed=seed, replicates=DRAWN),
        "Fleiss' kappa": agreement.fleiss(values, seed=seed, replicates=DRAWN),
        "Cohen's kappa, quadratic": agreement.cohen(
            first, second, "quadratic", seed=seed, replicates=DRAWN
        ),
        "percent agreement": agreement.percent(values),
    }


def of_ratings(simulations: int) -> Iterator[Sequence[str]]:
    """Two systems are equal and one is worse by 0.6; annotators' severity has a deviation of 0.5,
    items 0.6, outputs 0.4, single votes 0.7. Other annotators and items are drawn each time."""
    worth = np.array([3.0, 3.0, 2.4])
    names = (
        "means",
        "means without severity",
        "differences",
        "a mean, as if votes were single",
        "equal systems: rejected",
        "unequal: rejected",
    )
    cells: list[list[str]] = [[] for _ in names]
    for J in PANELS:
        chance = np.random.default_rng(J)
        each: list[list[float]] = [[] for _ in names]
        for _ in range(simulations):
            data = rated(chance, worth, J)
            apart = ratings.differences(data)
            upper = np.triu_indices(3, 1)
            pairs = Estimates(apart.values[upper], apart.low[upper], apart.high[upper])
            y = data.value[data.system == 0]
            numbers = (
                held(ratings.means(data), worth),
                held(ratings.adjusted(data).means, worth),
                held(pairs, (worth[:, None] - worth)[upper]),
                float(abs(y.mean() - 3.0) < 1.96 * y.std(ddof=1) / np.sqrt(len(y))),
                float(apart.p_values[0, 1] < 0.05),
                float(apart.p_values[0, 2] < 0.05),
            )
            for one, number in zip(each, numbers, strict=True):
                one.append(number)
        for row, one in zip(cells, each, strict=True):
            row.append(per_cent(one))
    yield from ((name, *row) for name, row in zip(names, cells, strict=True))


shared_out = cache(assignments)


def rated(chance: np.random.Generator, worth: Floats, panel: int) -> Ratings:
    """Three votes on each of 40 outputs of a system."""
    S, items = len(worth), 40
    annotator = shared_out(items * S, panel, 3).ravel()
    output = np.repeat(np.arange(items * S), 3)
    item, system = output // S, output % S
    value = worth[system] + chance.normal(0, 0.6, items)[item]
    value += chance.normal(0, 0.4, items * S)[output] - chance.normal(0, 0.5, panel)[annotator]
    return Ratings.of(system, item, annotator, value + chance.normal(0, 0.7, len(output)))


def of_choices(simulations: int) -> Iterator[Sequence[str]]:
    """Each annotator has strengths of its own, off by a deviation of 0.4; the truth is what a
    60,000 choices of two thousand annotators give."""
    strengths = np.array([0.6, 0.3, 0.0, 0.0, -0.3, -0.6])
    many = chosen(np.random.default_rng(0), strengths, 2_000, balanced(6, 4, 60).repeat(1_000, 0))
    truths = best_worst.counts(many).values, best_worst.strengths(many).strengths.values
    cells: list[list[str]] = [[], []]
    for J in PANELS:
        chance = np.random.default_rng(J)
        shown = balanced(6, 4, 10 * J)
        each: list[list[float]] = [[], []]
        for _ in range(simulations):
            choices = chosen(chance, strengths, J, shown)
            each[0].append(held(best_worst.counts(choices), truths[0]))
            each[1].append(held(best_worst.strengths(choices).strengths, truths[1]))
        for row, one in zip(cells, each, strict=True):
            row.append(per_cent(one))
    yield ("counts", *cells[0])
    yield ("strengths", *cells[1])


def chosen(chance: np.random.Generator, strengths: Floats, panel: int, shown: Ints) -> Choices:
    """By the MaxDiff model."""
    annotator = np.arange(len(shown)) % panel
    own = strengths + chance.normal(0, 0.4, (panel, len(strengths)))
    worth = np.take_along_axis(own[annotator], shown, 1)
    apart = worth[:, :, None] - worth[:, None, :]
    apart[:, np.arange(4), np.arange(4)] = -np.inf
    picked = (apart + chance.gumbel(size=apart.shape)).reshape(len(shown), -1).argmax(1)
    return Choices.of(shown, picked // 4, picked % 4, annotator)


def of_labels(simulations: int) -> Iterator[Sequence[str]]:
    """Of two labels the rarer one, by the model and by counting votes; each item has four votes."""
    right = np.array([0.85, 0.8, 0.75, 0.8])
    for share in (0.1, 0.4):
        cells: list[list[str]] = [[], []]
        for n in VOTED:
            chance = np.random.default_rng([n, int(100 * share)])
            each: list[list[float]] = [[], []]
            for _ in range(simulations):
                truth = chance.random((n, 1)) < share
                said = (truth == (chance.random((n, 4)) < right)).astype(np.float64).ravel()
                item, who = np.repeat(np.arange(n), 4), np.tile(np.arange(4), n)
                votes = Annotations.of(item, who, said)
                each[0].append(held(labels.shares(votes, 2)[1], share))
                each[1].append(held(labels.raw_shares(votes, 2)[1], share))
            for row, one in zip(cells, each, strict=True):
                row.append(per_cent(one))
        yield (f"a share of {share}, by the model", *cells[0])
        yield (f"a share of {share}, votes counted", *cells[1])


def of_outliers(simulations: int) -> Iterator[Sequence[str]]:
    """Severity of a deviation of 0.3, votes of 0.5; then one annotator who is off by 2.5, and one
    who rates by chance."""
    names = (
        "severity: anybody blamed in an honest panel",
        "alpha: anybody blamed in an honest panel",
        "severity off by 2.5: found",
        "rates by chance: found by alpha",
    )
    cells: list[list[str]] = [[] for _ in names]
    for J in (5, 10, 20):
        chance = np.random.default_rng(J)
        each: list[list[float]] = [[] for _ in names]
        for _ in range(simulations):
            honest = opinions(chance, J, 0.0, 0.5)
            other = opinions(chance, J, 2.5, 20.0)
            blamed = annotators.outliers(annotators.severity(honest)) < 0.05
            apart = annotators.outliers(annotators.alpha(honest), "below") < 0.05
            each[0].append(float(blamed.any()))
            each[1].append(float(apart.any()))
            each[2].append(float(annotators.outliers(annotators.severity(other))[0] < 0.05))
            each[3].append(float(annotators.outliers(annotators.alpha(other), "below")[1] < 0.05))
        for row, one in zip(cells, each, strict=True):
            row.append(per_cent(one))
    yield from ((name, *row) for name, row in zip(names, cells, strict=True))


def opinions(
    chance: np.random.Generator, panel: int, off: float, noise: float, items: int = 200
) -> Annotations:
    """Ratings of 1 to 5, the first annotator being `off`, the second having its own noise."""
    who = shared_out(items, panel, 3).ravel()
    item = np.repeat(np.arange(items), 3)
    severe, noises = chance.normal(0, 0.3, panel), np.full(panel, 0.5)
    severe[0] += off
    noises[1] = noise
    worth = chance.normal(3, 1, items)[item] - severe[who]
    value = np.clip(np.round(worth + noises[who] * chance.standard_normal(len(who))), 1, 5)
    return Annotations.of(item, who, value)


TABLES: Mapping[str, tuple[Sequence[str], Rows]] = {
    "people_agreement": (AGREEMENT, agreements),
    "people_ratings": (RATINGS, of_ratings),
    "people_choices": (CHOICES, of_choices),
    "people_labels": (LABELS, of_labels),
    "people_outliers": (OUTLIERS, of_outliers),
}
