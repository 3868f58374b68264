"""The paired jackknife where units act together: its errors are the truth, by simulation."""

import numpy as np

from inference.protocol import NoModels
from metrics.core.compare import compare
from metrics.core.evidence import Column, Evidence
from metrics.core.result import Result, conclude
from metrics.core.signature import parts
from metrics.distinct_n import METRIC
from metrics.statistics.paired_jackknife import (
    excess_of,
    from_deviations,
    leaving_out,
    second_differences,
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
        (a, left_a), (b, left_b) = (leaving_out(x, keys(n), reduce, None, False) for x in rows)
        one, other = (second_differences(x, keys(n), reduce) for x in rows)
        excess = excess_of(one, other, left_a, left_b)
        (told,) = from_deviations(left_a, left_b, a, b, units=n, excess=excess)
        values.append(told.value)
        errors.append(told.error)
        plain.append(from_deviations(left_a, left_b, a, b, units=n)[0].error)
    assert np.sqrt(np.mean(np.square(plain))) > 1.15 * np.std(values)
    assert 0.8 < np.sqrt(np.mean(np.square(errors))) / np.std(values) < 1.25
