"""Tests at every checkpoint of a job: how rare false alarms are, and that true ones are raised."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

import trainers
from metrics.statistics.paired import paired_bootstrap
from metrics.statistics.weights import Floats
from service.training.significance import ALPHA, fallen, level, risen
from tests.metrics.statistics.simulation import keys

REWARD = trainers.find("grpo").objective_series
JOBS, SAMPLES, CHECKPOINTS = 500, 100, 50
Score = Callable[[np.random.Generator, float], Floats]  # less some fall: (JOBS, SAMPLES)


def exact_match(rng: np.random.Generator, fall: float) -> Floats:
    """0 or 1, by a chance that the sample has."""
    chance = np.random.default_rng(0).beta(1, 2, (JOBS, SAMPLES))
    return (rng.random((JOBS, SAMPLES)) < np.clip(chance - fall, 0, 1)).astype(float)


def skewed(rng: np.random.Generator, fall: float) -> Floats:
    """As lengths and losses are."""
    middle = np.random.default_rng(0).normal(0, 0.5, (JOBS, SAMPLES))
    return np.asarray(np.exp(middle + rng.normal(0, 0.5, (JOBS, SAMPLES))) - 2 * fall)


@cache
def p_values(score: Score, fall: float, looks: int) -> Floats:
    """(looks, JOBS) of every checkpoint of every job, against one start each."""
    rng = np.random.default_rng(1)
    start = score(rng, 0.0)
    found = []
    for _ in range(looks):
        now = score(rng, fall)
        tested = paired_bootstrap(
            now.T, start.T, keys(SAMPLES), lambda sums: sums / SAMPLES, replicates=1000
        )
        found.append([fallen(one, higher_is_better=True) for one in tested])
    return np.array(found)


def alarms(found: Floats) -> Floats:
    """(looks, JOBS) where a job has had an alarm by then."""
    levels = [level(look) for look in range(1, len(found) + 1)]
    return np.logical_or.accumulate(found <= np.array(levels)[:, None])


@pytest.mark.parametrize("score", [exact_match, skewed])
def test_false_alarms_of_a_job_are_rare_however_many_checkpoints_it_has(score: Score) -> None:
    found = p_values(score, 0.0, CHECKPOINTS)
    noise = 3 * np.sqrt(ALPHA * (1 - ALPHA) / JOBS)
    for checkpoints in (1, 10, 50):
        assert alarms(found)[checkpoints - 1].mean() <= ALPHA + noise
    uncorrected = (found <= ALPHA / 2).any(0)
    assert uncorrected.mean() > 2 * (ALPHA + noise)  # what the watch did before


@pytest.mark.parametrize("score", [exact_match, skewed])
def test_a_true_fall_is_found(score: Score) -> None:
    """By about half of a score of 0.33, within ten checkpoints."""
    assert alarms(p_values(score, 0.2, 10))[-1].mean() > 0.9


def test_levels_sum_to_that_of_the_job() -> None:
    assert sum(map(level, range(1, 10_000))) == pytest.approx(ALPHA, rel=1e-3)
    assert level(1) == pytest.approx(0.0304, abs=1e-4)


def test_a_score_where_less_is_better_falls_by_rising() -> None:
    rows = np.random.default_rng(0).normal(0, 1, (2, 100, 1))
    (worse,) = paired_bootstrap(rows[0] + 1, rows[1], keys(100), lambda sums: sums / 100)
    assert fallen(worse, higher_is_better=False) < 1e-6
    assert fallen(worse, higher_is_better=True) > 0.99


def rewards(*values: float) -> list[tuple[int, Any]]:
    return [(step, {"reward": value}) for step, value in enumerate(values, 1)]


def test_a_reward_has_risen_where_the_rise_is_significant() -> None:
    noise = random.Random(0)
    flat = [noise.gauss(0, 1) for _ in range(200)]
    up = risen(rewards(*[value + step / 40 for step, value in enumerate(flat)]), REWARD)
    assert up is not None
    assert up["p_value"] < 0.001
    assert up["now"] - up["start"] == pytest.approx(180 / 40, abs=1)
    assert (risen(rewards(*flat), REWARD) or {"p_value": 1})["p_value"] > 0.05
    assert risen(rewards(*[-value for value in range(40)]), REWARD) is None
    assert risen(rewards(*[0.0] * 20, *[1.0] * 20), REWARD) == {
        **{"start": 0.0, "now": 1.0, "p_value": 0.0}
    }
    assert risen(rewards(0, 0, 0, 1, 1, 1), REWARD) is None  # too few to say
    assert risen([(step, {"loss": 1.0}) for step in range(100)], REWARD) is None
    assert risen([], REWARD) is None


def test_two_rollouts_are_enough_where_their_errors_are_known() -> None:
    def logged(*values: float) -> list[tuple[int, Any]]:
        named = ({"reward": value, "reward/error": 0.1} for value in values)
        return [(1 + 16 * at, one) for at, one in enumerate(named)]

    up = risen(logged(1.0, 1.6), REWARD, groups=32)
    assert up is not None
    assert (up["start"], up["now"]) == (1.0, 1.6)
    assert up["p_value"] == pytest.approx(4e-5, rel=0.5)  # z = 0.6 / (0.1 √2)
    more = risen(logged(1.0, 1.0, 1.6, 1.6), REWARD, groups=32)
    assert more is not None
    assert more["p_value"] < up["p_value"]
    assert risen(logged(1.0), REWARD, groups=32) is None
    assert risen(rewards(1.0, 1.6), REWARD, groups=32) is None
    assert risen(logged(1.0, 1.6), REWARD) is None


def test_of_dpo_it_is_the_margin_that_rises() -> None:
    margins = [(step, {"loss": 0.5, "margin": step / 40}) for step in range(40)]
    for method in ("dpo", "reward"):
        up = risen(margins, trainers.find(method).objective_series)
        assert up is not None
        assert up["now"] - up["start"] == pytest.approx(0.5)
    assert risen(margins, trainers.find("ppo").objective_series) is None
    assert risen(margins, trainers.find("sft").objective_series) is None


def test_a_false_rise_is_as_rare_as_it_says() -> None:
    noise = random.Random(1)
    found = [risen(rewards(*[noise.gauss(0, 1) for _ in range(40)]), REWARD) for _ in range(1000)]
    assert 30 < sum(one is not None and one["p_value"] <= 0.05 for one in found) < 70  # 5%
