"""Agreement is that of `krippendorff` and `statsmodels`, live; its intervals cover."""

from __future__ import annotations

from typing import Literal

import krippendorff
import numpy as np
import pytest
from scipy.stats import norm
from statsmodels.stats.inter_rater import aggregate_raters, cohens_kappa, fleiss_kappa

from metrics.statistics import agreement
from metrics.statistics.agreement import Distance, Weighting
from metrics.statistics.weights import Floats


def panel(seed: int, items: int, raters: int, missing: float = 0.0) -> Floats:
    """Ratings of 1 to 5: two thirds of them the item's own, the others by chance."""
    chance = np.random.default_rng(seed)
    own = chance.integers(1, 6, (items, 1))
    values = np.where(
        chance.random((items, raters)) < 2 / 3, own, chance.integers(1, 6, (items, raters))
    ).astype(np.float64)
    values[chance.random((items, raters)) < missing] = np.nan
    return values


@pytest.mark.parametrize("distance", ["interval", "nominal", "ordinal"])
def test_resamples_of_alpha_are_the_packages_alpha_of_the_units_drawn(distance: Distance) -> None:
    values = panel(0, 30, 4, missing=0.2)
    found = agreement.krippendorff(values, distance, seed=3, replicates=40)
    pairable = values[np.isfinite(values).sum(1) > 1]
    n = len(pairable)
    counts = np.random.default_rng(3).multinomial(n, np.full(n, 1 / n), size=40)
    theirs = [
        krippendorff.alpha(
            reliability_data=np.repeat(pairable, one, axis=0).T, level_of_measurement=distance
        )
        for one in counts
    ]
    whole = krippendorff.alpha(reliability_data=values.T, level_of_measurement=distance)
    assert found.value == pytest.approx(whole, abs=1e-12)
    jackknife = [
        krippendorff.alpha(
            reliability_data=np.delete(pairable, at, 0).T, level_of_measurement=distance
        )
        for at in range(n)
    ]
    change = np.mean(jackknife) - np.array(jackknife)
    a = (change**3).sum() / (change**2).sum() ** 1.5 / 6
    bias = norm.ppf((np.array(theirs) < whole).mean())
    z = bias + norm.ppf([0.025, 0.975])
    ends = np.quantile(theirs, norm.cdf(bias + z / (1 - a * z)))
    assert [found.low, found.high] == pytest.approx(ends, abs=1e-10)


def test_values_far_from_zero_agree_as_those_near_it() -> None:
    values = panel(1, 40, 3)
    assert agreement.alpha(values + 1e7) == pytest.approx(agreement.alpha(values), abs=1e-9)
    assert np.isnan(agreement.alpha(np.full((20, 3), 0.1)))


@pytest.mark.parametrize("raters", [2, 5])
def test_fleiss_kappa_is_that_of_statsmodels(raters: int) -> None:
    values = panel(2, 60, raters)
    table, _ = aggregate_raters(values.astype(int))
    found = agreement.fleiss(values, replicates=200)
    assert found.value == pytest.approx(fleiss_kappa(table), abs=1e-12)
    assert found.low < found.value < found.high


@pytest.mark.parametrize(
    ("weighting", "theirs"), [("none", None), ("linear", "linear"), ("quadratic", "quadratic")]
)
def test_cohens_kappa_is_that_of_statsmodels(
    weighting: Weighting, theirs: Literal["linear", "quadratic"] | None
) -> None:
    first, second = panel(3, 300, 2).T
    table = np.zeros((5, 5))
    np.add.at(table, (first.astype(int) - 1, second.astype(int) - 1), 1)
    known = cohens_kappa(table, wt=theirs)
    apart = (
        np.r_[first, np.nan, 4.0],
        np.r_[second, 2.0, np.nan],
    )  # what one alone rated is left out
    found = agreement.cohen(*apart, weighting, replicates=2000)
    assert found.value == pytest.approx(known.kappa, abs=1e-12)
    # resamples against the delta method: both are right to first order, 300 units and 2,000 draws
    assert [found.low, found.high] == pytest.approx([known.kappa_low, known.kappa_upp], abs=0.02)


def test_percent_agreement_counts_pairs_and_has_an_interval_where_all_agree() -> None:
    nan = np.nan
    values = np.array([[1, 1, 1], [1, 1, 2], [1, 2, 3], [2, nan, 2], [3, nan, nan]])
    assert agreement.percent(values).value == pytest.approx((1 + 1 / 3 + 0 + 1) / 4)
    all_alike = agreement.percent(np.ones((20, 3)))
    assert all_alike.value == all_alike.high == 1
    assert all_alike.low == pytest.approx(1 / (1 + 1.959964**2 / 20), abs=1e-6)  # Wilson's


def test_nothing_is_claimed_where_nothing_can_be() -> None:
    for values in (np.full((4, 2), np.nan), np.ones((10, 2)), np.array([[1.0, 2.0]])):
        found = agreement.fleiss(values)
        assert np.isnan(found.low)
        assert np.isnan(agreement.krippendorff(values, "nominal").low)
    perfect = agreement.krippendorff(np.array([[1.0, 1], [2, 2], [5, 5]]))
    assert perfect.value == 1
    assert np.isnan(perfect.low)  # every resample agrees, whatever the next unit would


def test_intervals_of_chance_corrected_agreement_cover() -> None:
    """True values by the model of `panel`: two raters agree beyond chance in 4 of 9 units."""
    hits = np.zeros(3)
    sets = 150
    for seed in range(sets):
        values = panel(seed, 60, 3)
        found = (
            agreement.krippendorff(values, "nominal", replicates=300),
            agreement.fleiss(values, replicates=300),
            agreement.cohen(values[:, 0], values[:, 1], replicates=300),
        )
        hits += [one.low <= 4 / 9 <= one.high for one in found]
    assert (hits / sets > 0.895).all()  # 95%, three standard errors of 150 sets below
    assert (hits / sets < 0.99).all()
