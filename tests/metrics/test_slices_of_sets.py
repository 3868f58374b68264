"""Slices of metrics of the whole set: settled anew, never compared, and saying why not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.statistics_data import TOPICS, features
from benchmarks.texts import news
from inference.protocol import NoModels
from metrics import find
from metrics.core.alignment import Side
from metrics.core.compare import compare_many
from metrics.core.evidence import FLAG, Evidence
from metrics.core.measure import items_of, measure
from metrics.core.metric import BoundMetric
from metrics.core.result import Result, conclude
from metrics.core.settling import restrict
from tests.known import known

N = 24
IDS = [str(at) for at in range(N)]
NGRAMS = find("vendi").bind({"similarity": "ngrams"})
VENDI, FRECHET = find("vendi").bind(), find("frechet").bind()


def by_ngrams(seed: int) -> Evidence:
    items, _ = items_of(news(N, 0, seed).samples)
    return measure(NGRAMS, items, NoModels())


def of_features(seed: int) -> Evidence:
    draw = np.random.default_rng(seed)
    outputs, references = (features(draw, np.arange(N) % TOPICS, 0.0) for _ in range(2))
    fixed: dict[str, NDArray[np.generic]] = {"output": outputs, FLAG: np.zeros(N, np.uint8)}
    return Evidence.of_ragged({"references": [one[None] for one in references]}, fixed)


METRICS = pytest.mark.parametrize(
    ("metric", "seen"), [(NGRAMS, by_ngrams), (VENDI, of_features), (FRECHET, of_features)]
)


def concluded(metric: BoundMetric, evidence: Evidence, count: int) -> Result:
    """Of the first samples, as a slice is."""
    evidence, unit = restrict(evidence, np.arange(N), np.arange(count))
    return conclude(metric, evidence, unit, IDS[:count], {"name": metric.name})


@METRICS
def test_a_slice_is_a_set_of_its_own(metric: BoundMetric, seen: Callable[[int], Evidence]) -> None:
    evidence = seen(0)
    whole, half, one = (concluded(metric, evidence, count).scores[0] for count in (N, N // 2, 1))
    low, high = known(half.interval)
    assert low <= known(half.value) <= high
    assert half.value != whole.value
    assert half.signature != whole.signature  # of another n
    assert one.interval is None
    if metric is FRECHET:
        assert one.value is None
        assert "needs at least 2 outputs" in known(one.error)
    else:
        assert one.value == pytest.approx(1.0)
        assert one.warnings


@METRICS
def test_slices_are_not_compared_and_say_why(
    metric: BoundMetric, seen: Callable[[int], Evidence]
) -> None:
    sides = [Side(concluded(metric, seen(seed), N), IDS) for seed in (0, 1)]
    ((whole,),) = compare_many(metric, sides, [(0, 1)])
    assert known(whole.difference).p_value <= 1
    ((part,),) = compare_many(metric, sides, [(0, 1)], chosen=IDS[:12])
    assert part.difference is None
    assert "depends on the whole set: there is none of a slice of it" in known(part.error)
