"""Annotators: what each is like, by hand and by planting it; who is no part of the panel."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.stats import binomtest

from metrics.statistics import agreement, annotators
from metrics.statistics.agreement import Distance
from metrics.statistics.annotations import Annotations
from metrics.statistics.designs import assignments
from metrics.statistics.estimates import Estimates, proportions
from metrics.statistics.weights import Floats

shared_out = cache(assignments)


def panel(
    seed: int, severity: Floats, noise: Floats, items: int = 120, overlap: int = 3
) -> Annotations:
    """Ratings of 1 to 5 by annotators who lower them by severity (J,), and err by noise (J,)."""
    chance = np.random.default_rng(seed)
    who = shared_out(items, len(severity), overlap).ravel()
    item = np.repeat(np.arange(items), overlap)
    worth = chance.normal(3, 1, items)[item] - severity[who]
    value = np.clip(np.round(worth + noise[who] * chance.standard_normal(len(item))), 1, 5)
    return Annotations.of(item, who, value)


def test_severity_by_hand() -> None:
    item, who = np.array([0, 0, 0, 1, 1, 2, 2, 0]), np.array([0, 1, 2, 0, 1, 1, 2, 0])
    value = np.array([1.0, 2, 3, 2, 4, 5, 5, 4])  # the last is a repeat, and no part of it
    found = annotators.severity(Annotations.of(item, who, value))
    assert found.values == pytest.approx([(1.5 + 2) / 2, (0 - 2 + 0) / 3, (-1.5 + 0) / 2])
    assert np.isnan(annotators.severity(Annotations.of(item[5:7], who[5:7], value[5:7])).low).all()


@pytest.mark.parametrize("distance", ["interval", "nominal", "ordinal"])
def test_the_annotators_alphas_make_the_panels(distance: Distance) -> None:
    votes = panel(0, np.array([0.0, 0.5, -0.5, 0, 0]), np.array([0.3, 0.5, 0.5, 1.0, 2.0]))
    found = annotators.alpha(votes, distance)
    weights = np.bincount(votes.annotator)
    whole = agreement.alpha(votes.table(), distance)
    assert (weights @ found.values) / weights.sum() == pytest.approx(whole, abs=1e-12)
    assert found.values.argmin() == 4
    same = annotators.alike(votes)
    pairs = agreement.percent(votes.table()).value
    assert (weights @ same.values) / weights.sum() == pytest.approx(pairs, abs=1e-12)


def test_consistency_gold_and_seconds() -> None:
    item = np.array([0, 1, 2, 0, 1, 0, 1, 2, 0])
    who = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1])
    value = np.array([1.0, 2, 3, 1, 3, 1, 2, 1, 1])
    votes = Annotations.of(item, who, value, np.r_[np.arange(8.0), np.nan])
    again = annotators.consistency(votes)
    assert again.values.tolist() == [0.5, 1.0]
    low, high = proportions(np.array([1.0]), np.array([2.0]))[0].low, again.high[0]
    assert (again.low[0], high) == pytest.approx((low, 1 - low))
    right = annotators.gold(votes, np.array([1.0, np.nan, 3.0]))
    assert right.values.tolist() == [1.0, 0.5]
    assert annotators.seconds(votes).values.tolist() == [2.0, 6.0]
    assert np.isnan(annotators.seconds(votes).low).all()  # two in 32 miss five on either side
    chance = np.random.default_rng(0)
    times = Annotations.of(
        np.arange(30000) % 30,
        np.arange(30000) // 30,
        np.zeros(30000),
        chance.exponential(size=30000),
    )
    found = annotators.seconds(times)
    held = ((found.low <= np.log(2)) & (np.log(2) <= found.high)).mean()
    assert 0.94 < held < 0.985  # at least 95%: order statistics are discrete, here 95.7


def test_outliers_are_found_and_others_seldom_blamed() -> None:
    blamed, caught = 0, []
    for seed in range(60):
        lenient = np.random.default_rng(seed).normal(0, 0.3, 10)
        lenient[0] = 2.5
        noise = np.full(10, 0.5)
        noise[1] = 20.0
        votes = panel(seed, lenient, noise, items=200)
        severe = annotators.outliers(annotators.severity(votes))
        random = annotators.outliers(annotators.alpha(votes), "below")
        caught.append([severe[0] < 0.05, random[1] < 0.05])
        blamed += bool((severe[2:] < 0.05).any()) + bool((random[2:] < 0.05).any())
    assert np.mean(caught, 0).min() > 0.8
    assert blamed / 120 < 0.12  # 5%, three standard errors above


def test_few_annotators_are_not_judged_by_each_other() -> None:
    values = np.array([0.1, 0.2, 0.15, 5.0])
    assert np.isnan(annotators.outliers(Estimates(values, values - 0.1, values + 0.1))).all()
    values = np.r_[values, 0.12, 0.18, 0.16, 0.14]
    found = annotators.outliers(Estimates(values, values - 0.01, values + 0.01))
    assert (found < 0.05).tolist() == [False, False, False, True, False, False, False, False]
    wide = annotators.outliers(Estimates(values, values - 9, values + 9))
    assert not (wide < 0.05).any()  # few items: it may be chance


def test_position_bias() -> None:
    chance = np.random.default_rng(1)
    who = np.arange(600) % 6
    share = np.array([0.5, 0.5, 0.5, 0.5, 0.5, 0.9])
    first = chance.random(600) < share[who]
    found = annotators.position_bias(first, who, 7)
    assert found.p_values[5] < 1e-6
    assert (found.p_values[:5] > 0.05).all()
    assert np.isnan(found.p_values[6])
    plain = binomtest(int(first[who == 5].sum()), 100).pvalue
    assert found.p_values[5] == pytest.approx(6 * plain)  # Holm's, the least of six
    assert found.share.low < first.mean() < found.share.high
    assert found.share.high - found.share.low > 0.2  # wider than 600 votes: annotators differ
    alone = annotators.position_bias(first[:50], np.zeros(50, np.int64), 1)
    assert alone.share == alone.each[0]
