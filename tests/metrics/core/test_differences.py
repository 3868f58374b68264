"""Values over the same units and the errors of what is made of them, from stored rows alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from scipy import stats

from inference.errors import ReportedError
from inference.protocol import Models
from metrics import find
from metrics.core.alignment import Grouping, Side
from metrics.core.differences import Values, match, own_values, values
from metrics.core.measure import items_of
from metrics.core.metric import BoundMetric, Sample
from metrics.core.result import conclude

WORDS = ["ab", "ac", "ad", "bc", "bd", "cd"]
N = 40


def stored(metric: BoundMetric, seed: int, without: Sequence[int] = ()) -> Side:
    """A system's result on samples of random words; some may be left out."""
    rng = np.random.default_rng(seed)
    truth = np.random.default_rng(0)
    samples = []
    for at in range(N):
        reference = " ".join(truth.choice(WORDS, 5))
        output = " ".join(rng.choice(WORDS, 5)) if rng.uniform() < 0.5 else reference
        if at not in without:
            samples.append(Sample(str(at), (output,), (reference,)))
    items, unit = items_of(samples)
    ids = [one.id for one in samples]
    evidence = metric.measure(items, cast("Models", None))
    found = conclude(metric, evidence, unit, ids, {"name": metric.name}, replicates=100)
    return Side(found, ids)


def compared(name: str, **more: Any) -> tuple[BoundMetric, Side, Side, Values]:
    metric = find(name).bind({})
    a, b = stored(metric, 1), stored(metric, 2)
    return metric, a, b, values(metric, a, b, match(metric, a, b, **more), 0)


def test_of_a_mean_the_error_is_that_of_the_paired_t_test() -> None:
    metric, a, b, found = compared("token_f1")
    at = np.arange(N)
    left, right = own_values(metric, a, at, 0), own_values(metric, b, at, 0)
    assert left is not None
    assert right is not None
    test = stats.ttest_rel(left, right)
    assert found.error() == pytest.approx((left.mean() - right.mean()) / test.statistic, rel=1e-9)
    assert found.freedom == test.df
    assert found.error(1.0, 0.0) == pytest.approx(stats.sem(left), rel=1e-9)
    assert found.error(1.0, -0.9) == pytest.approx(stats.sem(left - 0.9 * right), rel=1e-9)


def test_of_clusters_it_is_that_of_their_sums() -> None:
    grouping = Grouping("page", {str(at): str(at // 4) for at in range(N)})
    metric, a, b, found = compared("token_f1", grouping=grouping)
    at = np.arange(N)
    left, right = own_values(metric, a, at, 0), own_values(metric, b, at, 0)
    assert left is not None
    assert right is not None
    means = (left - right).reshape(-1, 4).mean(1)
    assert (found.units, found.samples) == (10, N)
    assert found.error() == pytest.approx(stats.sem(means), rel=1e-9)


def test_a_corpus_score_has_an_error_and_no_values_of_its_samples() -> None:
    metric, a, _, found = compared("chrf")
    assert own_values(metric, a, np.arange(N), 0) is None
    drawn = np.random.default_rng(3).multinomial(N, np.full(N, 1 / N), 2000) @ a.result.settled.rows
    assert found.error(1.0, 0.0) == pytest.approx(metric.reduce(drawn)[:, 0].std(), rel=0.15)


def test_a_result_does_not_differ_from_itself() -> None:
    metric = find("chrf").bind({})
    one = stored(metric, 1)
    assert values(metric, one, one, match(metric, one, one), 0).error() == 0.0


def test_units_are_those_of_both_and_of_the_slice() -> None:
    metric = find("token_f1").bind({})
    a, b = stored(metric, 1), stored(metric, 2, without=(3, 4))
    found = match(metric, a, b, chosen=[str(at) for at in range(10)])
    assert [a.ids[at] for at in found.at_a] == [b.ids[at] for at in found.at_b]
    assert len(found.at_a) == 8
    with pytest.raises(ReportedError, match="no unit counts in both"):
        match(metric, a, b, chosen=["3"])


def test_where_one_has_no_value_over_what_both_have_there_is_no_difference() -> None:
    """A ratio of sums may have one over the whole set alone."""
    metric = find("token_f1").bind({})
    a, b = stored(metric, 1), stored(metric, 2)
    rows = b.result.settled.rows.copy()
    rows[:4] = 0.0
    b = replace(b, result=replace(b.result, settled=replace(b.result.settled, rows=rows)))
    units = match(metric, a, b, chosen=["0", "1", "2", "3"])
    with pytest.raises(ReportedError, match="no value over the units that both have"):
        values(metric, a, b, units, 0)
    assert values(metric, a, b, match(metric, a, b, chosen=["3", "4"]), 0).samples == 2


def test_what_is_no_sum_over_samples_is_not_tested_over_clusters() -> None:
    metric = find("distinct_n").bind({})
    a, b = stored(metric, 1), stored(metric, 2)
    with pytest.raises(ReportedError, match="clusters cannot be left out of it"):
        match(metric, a, b, grouping=Grouping("page", dict.fromkeys(a.ids, "x")))


def test_what_depends_on_the_whole_set_has_no_slices() -> None:
    metric = find("distinct_n").bind({})
    a, b = stored(metric, 1), stored(metric, 2)
    with pytest.raises(ReportedError, match="none of a slice of it"):
        match(metric, a, b, chosen=["1"])
    assert values(metric, a, b, match(metric, a, b), 2).error() > 0.0
