"""Agreement against the package `krippendorff`; PPI++ against ppi-py and by simulation."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest

from metrics.core.rows import Floats
from metrics.judging import bias
from metrics.statistics import agreement, ppi
from metrics.statistics.agreement import Distance
from metrics.statistics.repeats import of_judge, split


def ratings(seed: int) -> Floats:
    chance = np.random.default_rng(seed)
    values = chance.integers(1, 6, (40, 3)).astype(np.float64)
    values[:, 1] = np.where(chance.random(40) < 0.6, values[:, 0], values[:, 1])
    values[chance.random((40, 3)) < 0.2] = np.nan
    return values


@pytest.mark.parametrize("distance", ["interval", "nominal", "ordinal"])
@pytest.mark.parametrize("seed", [0, 1])
def test_alpha_is_the_packages(distance: Distance, seed: int) -> None:
    values = ratings(seed)
    theirs = krippendorff.alpha(reliability_data=values.T, level_of_measurement=distance)
    assert agreement.alpha(values, distance) == pytest.approx(theirs, abs=1e-12)
    low, high = agreement.interval(values, distance, replicates=200)
    assert low < theirs < high


def test_alpha_at_its_ends() -> None:
    same = np.array([[1.0, 1], [2, 2], [5, 5]])
    assert agreement.alpha(same) == 1
    assert np.isnan(agreement.alpha(np.ones((5, 2))))  # nothing differs: nothing to agree on
    assert np.isnan(agreement.alpha(np.array([[1.0, np.nan], [np.nan, 2]])))


def drawn(seed: int, n: int, other: int, noise: float, shift: float) -> tuple[Floats, ...]:
    chance = np.random.default_rng(seed)
    y = chance.integers(1, 6, n).astype(float)
    f = np.clip(np.round(y + shift + noise * chance.standard_normal(n), 3), 1, 5)
    truth = chance.integers(1, 6, other)
    g = np.clip(np.round(truth + shift + noise * chance.standard_normal(other), 3), 1, 5)
    return y, f, g


@pytest.mark.parametrize(
    ("of", "value", "low", "high"),  # ppi_mean_pointestimate, ppi_mean_ci(alpha=0.05), ppi-py 0.2.3
    [
        ((1, 40, 400, 0.5, 0.4), 3.0682086791168977, 2.90222804824693, 3.2341893099868653),
        ((2, 25, 60, 2.0, -1.0), 2.875131481032099, 2.3665967233484295, 3.3836662387157688),
        ((3, 12, 1000, 8.0, 0.0), 2.5156810500836713, 1.606503279363377, 3.4248588208039656),
    ],
)
def test_ppi_is_ppi_pys(
    of: tuple[int, int, int, float, float], value: float, low: float, high: float
) -> None:
    y, f, g = drawn(*of)
    found = ppi.mean(y, f, g)
    assert [found.value, found.low, found.high] == pytest.approx([value, low, high], abs=1e-9)
    rated = np.r_[y, np.full(len(g), np.nan)]
    sums = ppi.rows(np.r_[f, g], rated).sum(0)
    assert float(ppi.of_sums(sums)) == pytest.approx(value, abs=1e-9)


def test_ppi_covers_peoples_mean_and_is_narrower_than_people_alone() -> None:
    chance = np.random.default_rng(5)
    hits, width, alone = 0, 0.0, 0.0
    for _ in range(400):
        truth = chance.integers(1, 6, 440).astype(float)
        judge = np.clip(truth + 0.7 + 0.8 * chance.standard_normal(440), 1, 5)  # biased upwards
        y, f, g = truth[:40], judge[:40], judge[40:]
        found = ppi.mean(y, f, g)
        hits += found.low <= 3 <= found.high
        width += found.high - found.low
        alone += 2 * 1.96 * float(y.std() / np.sqrt(40))
    assert 0.915 < hits / 400 < 0.985  # 95% within three standard errors of 400 draws
    assert width < 0.7 * alone


def test_a_judges_draws_are_a_part_of_the_variance() -> None:
    chance = np.random.default_rng(2)
    unit = np.repeat(np.arange(300), 2)  # two outputs a question
    outputs = chance.normal(0, 1, 300)[unit] + chance.normal(0, 0.5, 600)
    item = np.repeat(np.arange(600), 3)  # three draws of the judge an output
    draws = (outputs[item] + chance.normal(0, 0.8, 1800))[:, None]
    means = np.bincount(item, draws[:, 0]) / 3
    whole = split(means[:, None], unit)
    judge = of_judge(draws, item, unit)
    assert judge[0] == pytest.approx(0.8**2 / 3 / 2 / 300, rel=0.1)
    assert whole.draws[0] == pytest.approx((0.5**2 + 0.8**2 / 3) / 2 / 300, rel=0.2)


def compared(n: int, first: float, seed: int = 0) -> Floats:
    """(n, 1, 1, 1, 2) wins of a judge that picks what stands first with this chance."""
    chance = np.random.default_rng(seed)
    picks = chance.random((n, 2)) < first
    return np.stack([picks[:, 0], ~picks[:, 1]], -1).astype(float).reshape(n, 1, 1, 1, 2)


def test_biases_are_found() -> None:
    unit = np.arange(400)
    values = compared(400, 0.8)
    found = bias.position(values, unit, 0.95)
    assert found is not None
    assert found.interval[0] < 0.3 < found.interval[1]
    fair = bias.position(compared(400, 0.5), unit, 0.95)
    assert fair is not None
    assert fair.interval[0] < 0 < fair.interval[1]
    flipped = bias.flips(values, unit, 0.95)
    assert flipped is not None
    assert flipped.value == pytest.approx(0.68, abs=0.08)  # both first, or both second
    chance = np.random.default_rng(1)
    lengths = np.stack([chance.integers(10, 1000, 400), np.zeros(400, np.int64)], 1)
    people = chance.integers(1, 6, 400).astype(float)
    judge = people + 0.3 * np.log2(lengths[:, 0]) + 0.2 * chance.standard_normal(400)
    slope = bias.length(judge.reshape(400, 1, 1, 1, 1), lengths, unit, 0.95, people)
    assert slope is not None
    assert slope.interval[0] < 0.3 < slope.interval[1]
    own = bias.difference(people + 0.5, people, 0.95)
    assert own is not None
    assert own.value == pytest.approx(0.5)
    assert bias.position(compared(2, 0.5), unit[:2], 0.95) is None
    same = np.full((400, 1, 1, 1, 1), 0.1 + 0.2)
    assert bias.length(same, lengths, unit, 0.95) is None
    assert bias.position(np.full((400, 1, 1, 1, 2), 0.3), unit, 0.95) is None
