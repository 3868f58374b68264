"""Pairs ranked by a reward model, against the rewards themselves and float64 by hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from inference.pool import ModelPool
from metrics import find
from metrics.core.clustered import Cluster
from metrics.core.compare import compare
from metrics.core.evidence import Evidence
from metrics.core.metric import Item, Sample
from metrics.core.result import conclude
from metrics.core.run import score
from metrics.pair_accuracy import METRIC, NO_INTERVAL, pair_row
from metrics.statistics.intervals import wilson
from metrics.statistics.weights import unit_keys
from tests.rounding import assert_same

PAIRS = [
    ("Capital of France?", "Paris.", "I do not know, look it up."),
    ("Столица России?", "Москва.", "Отстань."),
    ("2 + 2?", "4", "5"),
    ("首都は?", "東京です。", "知らない"),
]


def test_scores_are_those_of_the_rewards(model_pool: ModelPool, tiny_reward_model: Path) -> None:
    params = {"model": tiny_reward_model.name}
    samples = [Sample(str(at), (a,), (b,), prompt) for at, (prompt, a, b) in enumerate(PAIRS)]
    (result,) = score(samples, [METRIC.bind(params)], model_pool, replicates=200)
    judge = find("reward").bind(params)
    items = [Item(text, (), prompt) for prompt, *texts in PAIRS for text in texts]
    rewards = judge.measure(items, model_pool)["row"].astype(np.float64)[:, 0]
    margins = rewards[::2] - rewards[1::2]
    found = {one.name: one.value for one in result.scores}
    assert found["pair_accuracy"] == (margins > 0).mean()
    assert_same(found["pair_margin"], margins.mean())
    assert_same(found["pair_loss"], np.log1p(np.exp(-margins)).mean())
    confidence = 1 / (1 + np.exp(-np.abs(margins)))
    bins = np.floor((confidence - 0.5) * 20).clip(0, 9)
    gaps = [abs((confidence - (margins > 0))[bins == one].sum()) for one in set(bins.tolist())]
    assert_same(found["pair_calibration_error"], sum(gaps) / len(margins))
    assert_same(found["pair_overconfidence"], confidence.mean() - (margins > 0).mean())
    assert result.scores[0].interval is not None
    low, high = result.scores[0].interval
    assert low <= (margins > 0).mean() <= high
    assert [one.interval is None for one in result.scores] == [False, False, False, True, False]
    error = result.scores[3]
    assert error.interval_method == "none"
    assert f"no interval: {NO_INTERVAL}" in error.warnings
    ids = [sample.id for sample in samples]
    tests = compare(METRIC.bind(params), result, ids, result, ids)
    assert [one.error for one in tests] == [None, None, None, NO_INTERVAL, None]
    assert tests[3].difference is None


def test_rows_by_hand() -> None:
    """Margins 0 and 2: half a hit and one, at confidence 0.5 and σ(2) = 0.8808."""
    row = pair_row(np.array([0.0, 2.0]))
    sure = 1 / (1 + np.exp(-2.0))
    gaps = np.zeros(10)
    gaps[7] = (sure - 1) / 2
    np.testing.assert_allclose(row, [0.75, 1.0, (np.log(2) - np.log(sure)) / 2, *gaps, 1.0])


def test_a_calibrated_model_has_a_small_error_and_an_overconfident_one_a_large() -> None:
    generator = np.random.default_rng(0)
    margins = generator.normal(0, 1, 5_000)
    signed = np.where(generator.random(5_000) < 1 / (1 + np.exp(-np.abs(margins))), 1, -1)
    errors, overconfidence = [], []
    for factor in (1.0, 4.0):
        rows = np.stack([pair_row(np.array([one])) for one in factor * signed * np.abs(margins)])
        *_, error, gap = METRIC.bind({"model": "m"}).reduce(rows.sum(0))
        errors.append(error)
        overconfidence.append(gap)
    assert errors[0] < 0.03
    assert errors[1] > 0.15
    assert abs(overconfidence[0]) < 0.03
    assert 0.1 < overconfidence[1] <= errors[1]


def test_the_metrics_interval_of_the_calibration_error_would_not_hold() -> None:
    """Of a calibrated model, both are 0; so the error declares no interval."""
    metric, pairs, runs = METRIC.bind({"model": "m"}), 200, 60
    keys, held = unit_keys([str(at) for at in range(pairs)]), Counter[str]()
    for seed in range(runs):
        generator = np.random.default_rng(seed)
        margins = np.abs(generator.normal(0, 1.5, pairs))
        right = generator.random(pairs) < 1 / (1 + np.exp(-margins))
        rows = np.stack([pair_row(np.array([one])) for one in np.where(right, margins, -margins)])
        found = wilson(rows, keys, metric.reduce, replicates=200, bounds=metric.bounds(rows.sum(0)))
        for at, name in enumerate(metric.score_names):
            held[name] += int(found.low[at] <= 0.0 <= found.high[at])
    assert held["pair_calibration_error"] / runs < 0.85
    assert held["pair_overconfidence"] / runs > 0.95 - 4 * (0.95 * 0.05 / runs) ** 0.5


def test_intervals_over_prompts_cover_what_those_over_pairs_do_not() -> None:
    """Of a prompt with ten pairs, a model ranks nearly all right or nearly none."""
    metric, prompts, pairs, runs = METRIC.bind({"model": "m"}), 30, 10, 100
    names = [f"value {prompt}" for prompt in range(prompts) for _ in range(pairs)]
    unit, by_prompt = np.arange(len(names)), Cluster("prompt", names)
    ids, signature = [str(at) for at in unit], {"name": metric.name}
    sure = np.log(3)  # of a pair, by 3/4
    wrong_and_right = np.stack([pair_row(np.array([margin])) for margin in (-sure, sure)])
    covered = Counter[tuple[str, str]]()
    for seed in range(runs):
        generator = np.random.default_rng(seed)
        easy = generator.beta(0.75, 0.25, prompts)  # P(right) of a prompt, 3/4 on average
        right = generator.random((prompts, pairs)) < easy[:, None]
        evidence = Evidence.of_rows(wrong_and_right[right.astype(int).ravel()], [0] * len(names))
        for over, cluster in (("pairs", None), ("prompts", by_prompt)):
            found = conclude(
                metric, evidence, unit, ids, signature, cluster=cluster, replicates=100
            )
            for at, true in ((0, 0.75), (4, 0.0)):
                low, high = found.scores[at].interval or (np.nan, np.nan)
                covered[found.scores[at].name, over] += int(low <= true <= high)
    for name in ("pair_accuracy", "pair_overconfidence"):
        near = 4 * (0.95 * 0.05 / runs) ** 0.5  # four deviations of a binomial
        assert covered[name, "prompts"] / runs > 0.95 - near
        assert covered[name, "pairs"] / runs < 0.85


def test_a_side_without_a_token_is_missing(models_root: Path, model_pool: ModelPool) -> None:
    from tests.tiny_models import build_reward_model

    folder = build_reward_model(models_root / "bare-pairs", template=None)
    samples = [Sample("1", ("a",), ("",)), Sample("2", ("a",), ("b",))]
    (result,) = score(samples, [METRIC.bind({"model": folder.name})], model_pool, replicates=100)
    assert [(one.n, one.missing) for one in result.scores] == [(1, 1)] * 5


def test_the_model_must_be_named() -> None:
    with pytest.raises(Exception, match="model"):
        METRIC.bind()
