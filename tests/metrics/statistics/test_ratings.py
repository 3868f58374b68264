"""Ratings: intervals over annotators and items cover, severity is taken out, pairs are paired."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import statsmodels.formula.api as smf
from pandas import DataFrame

from metrics.statistics import crossed, ratings
from metrics.statistics.designs import assignments
from metrics.statistics.ratings import Ratings
from metrics.statistics.weights import Floats

shared_out = cache(assignments)


def rated(
    seed: int,
    worth: Floats,
    items: int = 40,
    panel: int = 10,
    overlap: int = 3,
    severity: float = 0.5,
) -> tuple[Ratings, Floats]:
    """Ratings with item, annotator and output parts; the annotators' severity beside them."""
    chance = np.random.default_rng(seed)
    S = len(worth)
    who = shared_out(items * S, panel, overlap)
    output = np.repeat(np.arange(items * S), overlap)
    item, system, annotator = output // S, output % S, who.ravel()
    severe = chance.normal(0, severity, panel)
    value = worth[system] + chance.normal(0, 0.6, items)[item] - severe[annotator]
    value = value + chance.normal(0, 0.4, items * S)[output] + chance.normal(0, 0.7, len(output))
    return Ratings.of(system, item, annotator, value), severe


def test_one_way_errors_are_statsmodels() -> None:
    data, _ = rated(0, np.array([3.0]))
    fit = smf.ols("y ~ 1", DataFrame({"y": data.value})).fit(
        cov_type="cluster", cov_kwds={"groups": data.annotator}
    )
    pull = (data.value - data.value.mean())[:, None] / len(data.value)
    found = crossed.one_way(pull, data.annotator)
    assert found.errors[0] == pytest.approx(fit.bse.iloc[0], rel=1e-9)
    assert found.freedom[0] == len(np.unique(data.annotator)) - 1


def test_two_way_errors_are_at_least_those_of_either() -> None:
    data, _ = rated(1, np.array([3.0]))
    pull = (data.value - data.value.mean())[:, None] / len(data.value)
    both = crossed.two_way(pull, data.annotator, data.item).errors[0]
    assert both > crossed.one_way(pull, data.annotator).errors[0]
    assert both > crossed.one_way(pull, data.item).errors[0]
    assert np.isnan(crossed.two_way(pull, np.zeros_like(data.annotator), data.item).errors[0])


def test_adjusted_means_are_least_squares_with_outputs_and_annotators() -> None:
    """By dummies of outputs and annotators; on data where severe annotators got the better one."""
    data, severe = rated(2, np.array([3.5, 3.0]), severity=1.0)
    order = np.argsort(severe)
    keep = (data.system == 0) == np.isin(data.annotator, order[5:])
    keep |= np.random.default_rng(0).random(len(keep)) < 0.4
    data = Ratings.of(data.system[keep], data.item[keep], data.annotator[keep], data.value[keep])
    design = np.c_[np.eye(data.output.max() + 1)[data.output], np.eye(10)[data.annotator]]
    fit = np.linalg.lstsq(design, data.value, rcond=None)[0]
    severity = -(fit[-10:] - fit[-10:].mean())
    found = ratings.adjusted(data)
    assert found.severity == pytest.approx(severity, abs=1e-9)
    by_hand = [
        (data.value + severity[data.annotator])[data.system == one].mean() for one in range(2)
    ]
    assert found.means.values == pytest.approx(by_hand, abs=1e-9)
    assert found.severity == pytest.approx(severe - severe.mean(), abs=0.6)
    raw, adjusted = ratings.means(data).values, found.means.values
    assert adjusted[0] - adjusted[1] > raw[0] - raw[1] + 0.3  # nearer the 0.5 that was planted


def test_a_crossed_panel_needs_no_adjustment() -> None:
    data, _ = rated(3, np.array([3.0, 2.0]), panel=6, overlap=6)
    raw, found = ratings.means(data), ratings.adjusted(data).means
    assert found.values == pytest.approx(raw.values, abs=1e-9)
    assert found.low == pytest.approx(raw.low, abs=0.02)


def test_annotators_whom_no_output_ties_together_are_not_adjusted() -> None:
    system, item = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    data = Ratings.of(system, item, np.array([0, 0, 1, 1]), np.array([1.0, 2, 3, 4]))
    assert np.isnan(ratings.adjusted(data).means.values).all()
    assert np.isnan(ratings.means(data).low).all()  # each was rated by one annotator
    assert ratings.means(data).values.tolist() == [1.5, 3.5]
    with pytest.raises(ValueError, match="equally many"):
        Ratings.of(system[:3], item, item, np.ones(4))


def test_intervals_cover_and_differences_are_tested_at_their_level() -> None:
    """Means over other annotators and items; two systems are equal, and one is worse."""
    worth = np.array([3.0, 3.0, 2.4])
    held, rejected, naive = [], [], []
    for seed in range(200):
        data, _ = rated(seed, worth)
        raw, adjusted = ratings.means(data), ratings.adjusted(data).means
        apart = ratings.differences(data)
        true = worth[:, None] - worth
        held.append(
            [
                ((one.low <= want) & (want <= one.high))[of].mean()
                for one, want, of in (
                    (raw, worth, slice(None)),
                    (adjusted, worth, slice(None)),
                    (apart, true, np.triu_indices(3, 1)),
                )
            ]
        )
        rejected.append([apart.p_values[0, 1] < 0.05, apart.p_values[0, 2] < 0.05])
        one = data.value[data.system == 0]
        naive.append(abs(one.mean() - 3) < 1.96 * one.std() / np.sqrt(len(one)))
    assert (np.mean(held, 0) > 0.90).all()  # 95%, three standard errors of 200 sets below
    assert np.mean(naive) < 0.75  # as if each vote were drawn by itself
    assert np.mean(rejected, 0)[0] < 0.08
    assert np.mean(rejected, 0)[1] > 0.6
