"""Metrics tested by the jackknife whose rows are the samples' own: their slices are compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.statistics_sources import experts
from inference.protocol import NoModels
from metrics import catalogue, find
from metrics.core.alignment import Grouping, Side
from metrics.core.beside import numbers_of, with_fields
from metrics.core.compare import compare_many
from metrics.core.evidence import FLAG, Column, Evidence
from metrics.core.measure import items_of, measure
from metrics.core.metric import BoundMetric, Sample
from metrics.core.result import Result, conclude
from metrics.core.rows import Ints
from metrics.core.settling import restrict
from tests.known import known

N = 40
IDS = [str(at) for at in range(N)]
SLICE = np.arange(0, N, 3)
LABELS = ["yes", "нет", "也许", "ربما"]


def answers(seed: int) -> list[Sample]:
    """Of each slice of three, references with labels of their own; all labels are said."""
    draw = np.random.default_rng(seed)
    made = []
    for at, id in enumerate(IDS):
        own = LABELS[at % 3 : at % 3 + 2]
        said = [str(draw.choice([*own * 2, *LABELS, "none of it"])) for _ in range(1 + at % 2)]
        sure = {"confidence": float(draw.uniform())} if at % 11 else {}
        made.append(Sample(id, tuple(said), (own[at % 2],), metadata=sure))
    return made


def seen(metric: BoundMetric, seed: int) -> tuple[Evidence, Ints]:
    if metric.name == "experts":
        rows = experts(np.random.default_rng(0), N)[seed].rows
        flags = np.zeros(N, np.uint8)
        return Evidence({"row": Column(rows), FLAG: Column(flags)}), np.arange(N)
    samples = answers(seed)
    items, unit = items_of(samples)
    evidence = measure(metric, items, NoModels())
    return with_fields(metric, evidence, unit, numbers_of(samples, metric.fields)), unit


def concluded(metric: BoundMetric, seed: int, chosen: Ints) -> Result:
    evidence, unit = restrict(*seen(metric, seed), chosen)
    ids = [IDS[at] for at in chosen.tolist()]
    return conclude(metric, evidence, unit, ids, {"name": metric.name})


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("f1_macro", {}),
        ("f1_macro", {"labels": LABELS}),
        ("mcc", {}),
        ("mcc", {"labels": LABELS[:2]}),
        ("calibration", {}),
        ("experts", {"model": "any"}),
    ],
)
def test_a_slice_is_compared_by_its_samples_alone(name: str, params: dict[str, Any]) -> None:
    metric = find(name).bind(params)
    sides = [Side(concluded(metric, seed, np.arange(N)), IDS) for seed in (0, 1)]
    alone = [concluded(metric, seed, SLICE) for seed in (0, 1)]
    chosen = [IDS[at] for at in SLICE.tolist()]
    (over_slice,) = compare_many(metric, sides, [(0, 1)], chosen=chosen)
    (by_itself,) = compare_many(metric, [Side(one, chosen) for one in alone], [(0, 1)])
    for part, own, *values in zip(
        over_slice, by_itself, *(one.scores for one in alone), strict=True
    ):
        assert (part.error, part.n) == (None, len(SLICE))
        assert (part.a, part.b) == pytest.approx(tuple(known(one.value) for one in values))
        found, wanted = known(part.difference), known(own.difference)
        assert found.interval == pytest.approx(wanted.interval)
        assert found.p_value == pytest.approx(wanted.p_value)
    whole = [score.value for score in sides[0].result.scores]
    assert whole != pytest.approx([one.a for one in over_slice])
    grouping = Grouping("pair", {id: str(at // 6) for at, id in enumerate(IDS)})
    for one in compare_many(metric, sides, [(0, 1)], chosen=chosen, grouping=grouping)[0]:
        assert (one.error, one.clusters) == (None, 7)


def test_whoever_says_so_is_tested_above() -> None:
    said = {name for name, metric in catalogue().items() if metric.own_rows}
    assert said == {"f1_macro", "mcc", "calibration", "experts"}
