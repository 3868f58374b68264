"""Weights from hashes: their distribution, and that order and sharding are immaterial."""

import math
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.statistics.weights import (
    POISSON,
    swapped_sums,
    totals,
    unit_keys,
    weighted_sums,
)
from tests.metrics.statistics.simulation import drawn

KEYS = unit_keys([f"unit-{i}" for i in range(4000)])


def test_keys_are_stable_and_unicode() -> None:
    # golden: xxhash64 of the UTF-8, seed 0
    assert unit_keys(["", "1", "привет", "数据🙂"]).tolist() == [
        17241709254077376921,
        13237225503670494420,
        1083263136966535476,
        13236887606626299502,
    ]
    assert unit_keys([]).shape == (0,)


def test_weights_are_stable() -> None:
    """Stored replicates of last year must pair with those of today."""
    one, two = drawn(unit_keys(["1", "привет"]), 0, 12).T.tolist()
    assert one == [2, 1, 1, 3, 1, 1, 0, 0, 4, 0, 2, 0]
    assert two == [0, 0, 0, 1, 0, 0, 0, 1, 2, 0, 1, 0]
    coins = drawn(unit_keys(["1"]), 0, 12, swapped_sums)[:, 0].tolist()
    assert coins == [1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1, 1]


def test_table_is_poisson() -> None:
    weights = POISSON.astype(float)
    assert len(POISSON) == 65_536
    assert weights.mean() == 1.0
    assert (weights**2).mean() == 2.0
    assert (weights**3).mean() == pytest.approx(5, abs=1e-4)
    assert (weights**4).mean() == pytest.approx(15, abs=1e-3)
    for k in range(9):
        share = np.count_nonzero(k == POISSON)
        assert abs(share - 65_536 * math.exp(-1) / math.factorial(k)) < 1.5


@pytest.mark.parametrize("keys", [KEYS, np.arange(4000, dtype=np.uint64)], ids=["hashed", "serial"])
def test_weights_are_independent(keys: np.ndarray) -> None:
    """Means, variances and correlations, over units and over replicates, are chance's."""
    weights = drawn(keys, 3, 600) - 1
    assert abs(weights.mean()) < 5 / math.sqrt(weights.size)
    assert abs((weights**2).mean() - 1) < 5 * math.sqrt(3 / weights.size)  # var of (w-1)^2 is 3
    for table, length in ((weights, 4000), (weights[:, :600].T, 600)):
        correlation = (table @ table.T / length)[np.triu_indices(len(table), 1)]
        assert correlation.std() * math.sqrt(length) == pytest.approx(1, abs=0.03)
        assert np.abs(correlation).max() * math.sqrt(length) < 6


def test_seeds_and_purposes_are_unrelated() -> None:
    first, second = (drawn(KEYS, seed, 200) - 1 for seed in (0, 1))
    assert abs((first * second).mean()) < 5 / math.sqrt(first.size)
    coins = drawn(KEYS, 0, 200, swapped_sums) - 0.5
    assert abs(coins.mean()) < 5 * 0.5 / math.sqrt(coins.size)
    assert abs((first * coins).mean()) < 5 * 0.5 / math.sqrt(coins.size)
    assert not np.array_equal(drawn(KEYS, -1, 8), drawn(KEYS, 1, 8))


def test_sums_are_the_weights_times_the_rows() -> None:
    rows = np.random.default_rng(0).normal(size=(700, 3))
    for sums in (weighted_sums, swapped_sums):
        got = sums(rows, KEYS[:700], 5, 90)
        want = drawn(KEYS[:700], 5, 90, sums) @ rows
        assert got.shape == (90, 3)
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 900), st.integers(1, 5))
def test_order_and_sharding_are_immaterial(seed: int, n: int, shards: int) -> None:
    """Integers to the bit, other floats to 1e-12; shards' sums add up to the whole's."""
    rng = np.random.default_rng(seed)
    whole_numbers = rng.integers(0, 1000, (n, 2)).astype(np.float64)
    fractions = rng.lognormal(size=(n, 2))
    keys, order = KEYS[:n], rng.permutation(n)
    cuts = np.sort(rng.integers(0, n + 1, shards - 1))
    for rows, exact in ((whole_numbers, True), (fractions, False)):
        whole = weighted_sums(rows, keys, 1, 20)
        moved = weighted_sums(rows[order], keys[order], 1, 20)
        parts = sum(
            weighted_sums(rows[part], keys[part], 1, 20)
            for part in np.split(order, cuts)
            if len(part)
        )
        for other in (moved, parts):
            if exact:
                assert np.array_equal(whole, other)
            else:
                np.testing.assert_allclose(whole, other, rtol=1e-12)
        assert np.array_equal(totals(rows), totals(rows[order]))  # even of fractions, to the bit


def test_totals_are_correctly_rounded() -> None:
    rows = np.array([[1e16, 1.0], [1.0, 2.0], [-1e16, 3.0], [0.1, 4.0]])
    assert totals(rows).tolist() == [1.1, 10.0]
    assert totals(np.asfortranarray(rows)).tolist() == [1.1, 10.0]
    assert totals(np.zeros((0, 3))).tolist() == [0, 0, 0]
    tenths = np.full((100_000, 1), 0.1)
    assert totals(tenths)[0] == math.fsum([0.1] * 100_000)


def test_rows_and_keys_must_match() -> None:
    with pytest.raises(ValueError, match="3 rows for 2 unit keys"):
        weighted_sums(np.ones((3, 1)), KEYS[:2], 0, 10)


def test_many_units_take_seconds_in_bounded_memory() -> None:
    """100,000 units, 1,000 replicates: no (n, R) matrix, 100 MB even as bytes, ever stands."""
    n = 100_000
    keys = np.random.default_rng(0).integers(0, 2**64, n, dtype=np.uint64)
    rows = np.ones((n, 8))
    tracemalloc.start()
    began = time.perf_counter()
    sums = weighted_sums(rows, keys, 0, 1000)
    took = time.perf_counter() - began
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sums.shape == (1000, 8)
    assert peak < 8_000_000
    assert took < 10  # 0.4 s on an idle core
