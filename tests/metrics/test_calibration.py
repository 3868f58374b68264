"""Calibration against uncertainty-calibration 0.1.4 and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from calibration import utils
from sklearn.metrics import brier_score_loss

from metrics import find
from metrics.core.compare import compare
from metrics.core.metric import Sample
from metrics.core.result import Result
from metrics.core.rows import Floats
from metrics.core.run import score


def samples_of(sure: Floats, right: Floats) -> list[Sample]:
    pairs = enumerate(zip(sure.tolist(), right.tolist(), strict=True))
    return [
        Sample(str(n), ("да" if hit else "нет",), ("да",), metadata={"confidence": one})
        for n, (one, hit) in pairs
    ]


def drawn(seed: int, n: int, over: float = 0.1) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    sure = rng.beta(4, 2, n)
    return sure, (rng.random(n) < np.clip(sure - over, 0, 1)).astype(np.float64)


def values(samples: list[Sample], **params: object) -> dict[str, float | None]:
    (result,) = score(samples, [find("calibration").bind(params)])
    return {found.name: found.value for found in result.scores}


@pytest.mark.parametrize("bins", [5, 15])
@pytest.mark.parametrize("seed", range(3))
def test_errors_are_those_of_uncertainty_calibration(seed: int, bins: int) -> None:
    sure, right = drawn(seed, 300)
    pairs = list(zip(sure, right, strict=True))
    binned = [
        one for one in utils.bin(pairs, utils.get_equal_prob_bins([], num_bins=bins)) if len(one)
    ]
    if min(map(len, binned)) < 2:  # theirs has no noise of such a bin, and refuses it
        alone = {pair for one in binned if len(one) < 2 for pair in map(tuple, one)}
        kept = [pair not in alone for pair in pairs]
        sure, right = sure[kept], right[kept]
        binned = [one for one in binned if len(one) > 1]
    found = values(samples_of(sure, right), bins=bins)
    assert found["ece"] == pytest.approx(utils.plugin_ce(binned, power=1), rel=1e-12)
    assert found["brier"] == pytest.approx(brier_score_loss(right, sure), rel=1e-12)
    np.random.seed(seed)  # theirs draws from it
    theirs = utils.normal_debiased_ce(binned, power=1, resamples=20_000)
    # a draw's deviation is below 0.03 (noise of 300 outputs in all), of the mean of 20,000 0.0002
    assert found["ece_debiased"] == pytest.approx(theirs, abs=0.001)


def test_the_debiased_error_is_nearer_to_the_truth() -> None:
    found = [values(samples_of(*drawn(seed, 200, over=0.0))) for seed in range(20)]
    plain, debiased = (
        float(np.mean([one[name] or 0.0 for one in found])) for name in ("ece", "ece_debiased")
    )
    assert 0 < debiased < 0.7 * plain


def test_by_hand_with_the_diagram() -> None:
    sure, right = np.array([0.5, 0.2, 0.9, 1.0, 0.0]), np.array([1.0, 0.0, 1.0, 0.0, 0.0])
    found = values(samples_of(sure, right), bins=2, diagram=True)
    assert found["confidence_1"] == pytest.approx(0.7 / 3)  # 0, 0.2 and 0.5: edges belong below
    assert found["accuracy_1"] == pytest.approx(1 / 3)
    assert found["confidence_2"] == pytest.approx(0.95)
    assert found["accuracy_2"] == pytest.approx(0.5)
    assert found["ece"] == pytest.approx((3 * 0.1 + 2 * 0.45) / 5)
    assert found["brier"] == pytest.approx((0.25 + 0.04 + 0.01 + 1) / 5)
    empty = values(samples_of(np.array([0.9, 0.8]), np.array([1.0, 0.0])), bins=2, diagram=True)
    assert empty["accuracy_1"] is None
    assert empty["accuracy_2"] == 0.5


def test_a_sample_without_a_confidence_is_missing() -> None:
    samples = samples_of(np.array([0.9, 0.8, 0.1]), np.array([1.0, 1.0, 0.0]))
    strange = [
        Sample("none", ("да",), ("да",)),
        Sample("per cent", ("да",), ("да",), metadata={"confidence": 90}),
        Sample("a word", ("да",), ("да",), metadata={"confidence": "sure"}),
    ]
    (result,) = score([*samples, *strange], [find("calibration").bind()])
    assert [found.missing for found in result.scores] == [3, 3, 3]
    assert result.scores[0].value == values(samples)["ece"]
    (result,) = score(strange[:1], [find("calibration").bind()])
    assert result.scores[0].value is None


@pytest.mark.parametrize("name", ["ece_debiased", "brier"])
def test_intervals_hold_the_truth(name: str) -> None:
    """Of 100 sets, 85% has a chance below one in ten thousand if 95% cover."""
    place = ["ece", "ece_debiased", "brier"].index(name)
    truth = values(samples_of(*drawn(7, 60_000)))[name]
    assert truth is not None
    held = 0
    for seed in range(100):
        (result,) = score(samples_of(*drawn(seed, 200)), [find("calibration").bind()])
        interval = result.scores[place].interval
        assert interval is not None
        held += interval[0] <= truth <= interval[1]
    assert held >= 86


def systems(seed: int, n: int, over: tuple[float, float]) -> list[Result]:
    """Two systems' results on the same n questions, each too sure by so much."""
    rng = np.random.default_rng(seed)
    hard, found = rng.normal(size=n), []
    for more in over:
        chance = 1 / (1 + np.exp(-(hard + rng.normal(size=n))))
        right = (rng.random(n) < chance).astype(np.float64)
        given = samples_of(np.clip(chance + more, 0, 1), right)
        found += score(given, [find("calibration").bind()], replicates=100)
    return found


def rejected(over: tuple[float, float], n: int, simulations: int) -> list[float]:
    """The share of pairs of systems whose ece and ece_debiased differ at 5%."""
    metric, ids, count = find("calibration").bind(), [str(at) for at in range(n)], np.zeros(2)
    for seed in range(simulations):
        a, b = systems(seed, n, over)
        found = compare(metric, a, ids, b, ids)
        assert [one.difference.test for one in found if one.difference][:2] == ["exchange"] * 2
        count += [bool(one.difference and one.difference.p_value <= 0.05) for one in found[:2]]
    return list(count / simulations)


@pytest.mark.parametrize("over", [(0.0, 0.0), (0.15, -0.15)])
def test_equal_calibration_errors_are_told_apart_as_often_as_said(
    over: tuple[float, float],
) -> None:
    """Simulated at length (docs/statistics.md). Of the jackknife's test 9 to 17% of such systems,
    of an exchange that lets opposite errors cancel 14 to 17% of the latter."""
    assert max(rejected(over, 100, 80)) <= 0.125  # three standard errors above 5%


def test_unequal_calibration_errors_are_told_apart() -> None:
    assert min(rejected((0.0, 0.25), 200, 20)) >= 0.7


def test_what_is_exchanged_keeps_its_errors() -> None:
    """Columns change places in bins whose gaps are on opposite sides alone, of the one that is too
    sure, and both errors stay; which system comes first is immaterial."""
    metric, ids = find("calibration").bind(), [str(at) for at in range(400)]
    first, second = systems(1, 400, (0.2, -0.2))
    a, b = first.settled.rows, second.settled.rows
    order, as_it_was = metric.exchange_orders(a, b)
    assert (order != np.arange(47)).sum() > 8
    assert (as_it_was == np.arange(47)).all()
    turned = metric.reduce(a[:, order].sum(0))[0]
    assert turned == pytest.approx(metric.reduce(a.sum(0))[0], rel=1e-12)
    assert (np.array(metric.exchange_orders(a, a)) == np.arange(47)).all()
    there, back = (compare(metric, x, ids, y, ids) for x, y in ((first, second), (second, first)))
    for one, other in zip(there, back, strict=True):
        assert one.difference is not None
        assert other.difference is not None
        assert one.difference.p_value == pytest.approx(other.difference.p_value, rel=1e-9)
