"""A rater beside a panel: the numbers are those of references, intervals cover."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest

from metrics.core.rows import Floats
from metrics.statistics import annotators
from metrics.statistics.agreement import Distance
from metrics.statistics.annotations import Annotations
from metrics.statistics.beside_panel import beside
from metrics.statistics.clusters import Clusters, clusters

ITEMS, PEOPLE = 60, 4


def panel(table: Floats) -> Annotations:
    """Of a table (people, items) what is there."""
    person, item = np.nonzero(np.isfinite(table))
    return Annotations.of(
        item.astype(np.int64),
        person.astype(np.int64),
        table[person, item],
        items=table.shape[1],
        annotators=len(table),
    )


def rated(chance: np.random.Generator, raters: int) -> Floats:
    """(raters, items) ratings from 1 to 5 of items that differ, some of them missing."""
    truth = chance.normal(3, 1, ITEMS)
    table = np.clip(np.rint(truth + chance.normal(0, 0.7, (raters, ITEMS))), 1, 5)
    missing = chance.random(table.shape) < 1 / 3
    missing[0] = False  # the first rates all
    return np.where(missing, np.nan, table)


def alone(count: int) -> Clusters:
    """Items of a sample each."""
    return clusters([str(at) for at in range(count)])


@pytest.mark.parametrize("distance", ["nominal", "ordinal", "interval"])
def test_the_numbers_are_those_of_two_raters_and_of_the_panel(distance: Distance) -> None:
    table = rated(np.random.default_rng(1), PEOPLE + 1)
    people, rater = table[:-1], table[-1]
    found = beside(panel(people), rater, alone(ITEMS), distance)
    both = np.where(np.isfinite(rater), people, np.nan)
    together = panel(np.vstack([both, rater]))
    assert found.items == np.isfinite(rater).sum()
    assert found.alpha.value == pytest.approx(annotators.alpha(together, distance).values[-1])
    assert found.agreement.value == pytest.approx(annotators.alike(together).values[-1])
    assert found.difference.value == pytest.approx(np.nanmean(rater - np.nanmean(people, 0)))
    expected = krippendorff.alpha(both, level_of_measurement=distance)
    assert found.panel_alpha.value == pytest.approx(expected)
    two = beside(panel(people[:1]), rater, alone(ITEMS), distance)
    expected = krippendorff.alpha([people[0], rater], level_of_measurement=distance)
    assert two.alpha.value == pytest.approx(expected)
    assert np.isnan([two.panel_alpha.value, two.panel_agreement.value]).all()
    for one in (found.agreement, found.alpha, found.panel_agreement, found.panel_alpha):
        assert one.low < one.value < one.high <= 1


def test_nothing_in_common_and_nothing_but_one_answer_have_no_numbers() -> None:
    people = panel(np.array([[1.0, 1.0, np.nan], [1.0, np.nan, np.nan]]))
    none = beside(people, np.array([np.nan, np.nan, 1.0]), alone(3))
    assert none.items == 0
    assert np.isnan([none.agreement.value, none.alpha.value, none.difference.value]).all()
    same = beside(people, np.ones(3), alone(3))
    assert (same.agreement.value, same.items) == (1.0, 2)
    assert np.isnan([same.alpha.value, same.panel_alpha.value]).all()


def test_intervals_cover_over_samples_of_several_items() -> None:
    """Of a sample the rater errs on all items, or on none: as single items they would look like
    thrice as many."""
    chance, samples, each, runs = np.random.default_rng(2), 40, 3, 60
    names = clusters([str(at // each) for at in range(samples * each)])
    inside, wider = 0, []
    for run in range(runs):
        truth = chance.integers(0, 2, samples * each).astype(np.float64)
        wrong = np.repeat(chance.random(samples) < 0.3, each)
        people = np.where(chance.random((2, len(truth))) < 0.1, 1 - truth, truth)
        rater = np.where(wrong, 1 - truth, truth)
        found = beside(panel(people), rater, names).agreement
        inside += found.low <= 0.7 * 0.9 + 0.3 * 0.1 <= found.high
        if run < 5:
            single = beside(panel(people), rater, alone(len(truth))).agreement
            wider.append((found.high - found.low) / (single.high - single.low))
    assert inside / runs > 0.86  # of 0.95: the error of 60 runs is 0.028
    assert np.mean(wider) > 1.4  # of single items the root of 3 would be, were people never wrong
