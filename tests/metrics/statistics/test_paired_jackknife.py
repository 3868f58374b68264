"""The paired jackknife where units act together: its errors are the truth, by simulation."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from benchmarks.statistics_data import mean
from benchmarks.statistics_sets import ALPHA, Sides, rejected
from inference.protocol import NoModels
from metrics.core.compare import compare
from metrics.core.evidence import Column, Evidence
from metrics.core.result import Result, conclude
from metrics.core.signature import parts
from metrics.distinct_n import METRIC
from metrics.statistics.paired_jackknife import (
    Deleted,
    deleted,
    differences,
    paired_jackknife,
    slopes,
)
from metrics.statistics.weights import Floats
from tests.known import known
from tests.metrics.statistics.simulation import keys


def test_errors_and_size_of_distinct_n() -> None:
    """Two systems that draw from one vocabulary: distinct_1 to distinct_3."""
    rng = np.random.default_rng(6)
    chances = 1 / (np.arange(500) + 3.7)
    chances /= chances.sum()
    ids = [str(at) for at in range(100)]
    bound = METRIC.bind()

    def system() -> Result:
        lengths = rng.integers(10, 30, 100)
        tokens = rng.choice(500, lengths.sum(), p=chances).astype(np.uint64)
        evidence = Evidence({"tokens": Column(tokens, lengths)})
        return conclude(bound, evidence, np.arange(100), ids, parts(bound, NoModels()))

    found = [compare(bound, system(), ids, system(), ids)[:3] for _ in range(120)]
    told = [[known(one.difference) for one in each] for each in found]
    spread = np.std([[one.value for one in each] for each in told], 0)
    errors = np.sqrt(np.mean([[one.error**2 for one in each] for each in told], 0))
    assert np.all(np.abs(errors / spread - 1) < 0.26)  # four times the spread's own error
    rejected = 100 * np.mean([[one.p_value <= 0.05 for one in each] for each in told], 0)
    assert np.all((rejected >= 1) & (rejected <= 10))


def test_errors_of_squared_counts() -> None:
    """Distance of shares from their expectation: all of it is of order 2, and counted twice."""
    rng = np.random.default_rng(7)
    cells, n = 12, 90

    def reduce(sums: Floats) -> Floats:
        shares = sums / sums.sum(-1, keepdims=True)
        return np.asarray(((shares - 1 / cells) ** 2).sum(-1, keepdims=True), np.float64)

    values, errors, plain = [], [], []
    for _ in range(150):
        rows = [np.eye(cells)[rng.integers(0, cells, n)] for _ in range(2)]
        (told,) = differences(*(deleted(x, keys(n), reduce) for x in rows), units=n)
        values.append(told.value)
        errors.append(told.error)
        plain.append(paired_jackknife(rows[0], rows[1], keys(n), reduce)[0].error)
    assert np.sqrt(np.mean(np.square(plain))) > 1.15 * np.std(values)
    assert 0.8 < np.sqrt(np.mean(np.square(errors))) / np.std(values) < 1.25


def test_a_variance_of_few_has_their_degrees_of_freedom() -> None:
    """Added to a jackknife's of 39 degrees: what it takes of 4 seeds' (Satterthwaite), or none."""
    values = np.random.default_rng(2).normal([[0.3], [0.0]], size=(2, 40))
    one, other = (
        replace(deleted(np.stack([x, np.ones(40)], 1), keys(40), mean), second=None) for x in values
    )
    (plain,) = differences(one, other, units=40)
    own = plain.error**2
    for freedom, degrees in ((None, 16 * 39), (4.0, 16 / (1 / 39 + 9 / 4))):
        more = replace(one, variance=np.array([3 * own]), freedom=np.array([freedom or np.inf]))
        (found,) = differences(more, other, units=40)
        assert found.error == pytest.approx(2 * plain.error)
        want = 2 * scipy.stats.t.sf(abs(found.value) / found.error, degrees)
        assert found.p_value == pytest.approx(want, rel=1e-9)
        (edge,) = differences(more, other, units=40, level=1 - want)
        assert min(map(abs, known(edge.interval))) < 1e-9 * found.error  # it ends where 0 is


def test_slopes_are_of_the_arcsine_where_a_value_has_bounds() -> None:
    def placed(*places: float) -> Deleted:
        nothing = np.zeros(len(places))
        return Deleted(
            np.array(places), np.array(places), nothing[None], nothing, None, *[nothing] * 3
        )

    a, b = slopes(placed(0.9, 0.4, 1.0, 1.0, np.nan), placed(0.7, 0.4, 0.99, 1.0, np.nan))
    turned = np.arcsin(np.sqrt([0.9, 0.7]))
    secant = (turned[0] - turned[1]) / 0.2
    assert a == pytest.approx([0.5 / np.sqrt(0.9 * 0.1) / secant, 1, 2, 1, 1])
    assert b[0] == pytest.approx(0.5 / np.sqrt(0.7 * 0.3) / secant)
    assert b[[1, 3, 4]].tolist() == [1, 1, 1]


def test_mauve_finds_what_is_off_and_seldom_what_is_not() -> None:
    """Before slopes, degrees of freedom and the seeds' share came in: 0.7% of what is off."""
    error = 100 * np.sqrt(ALPHA * (1 - ALPHA) / 60)
    assert rejected(Sides("equal", topics=True), 50, 60) <= 5 + 2 * error
    assert rejected(Sides("off", gap=0.5, topics=True), 50, 60) >= 20
