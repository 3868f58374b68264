"""Pareto's front against its definition, pair by pair."""

from __future__ import annotations

import numpy as np
import pytest

from metrics.statistics.fronts import dominates, shares_on_front


@pytest.mark.parametrize("scores", [2, 3])
def test_the_front_is_its_definition(scores: int) -> None:
    worth = np.random.default_rng(scores).integers(0, 4, (scores, 12)).astype(np.float64)
    beaten = dominates(worth)
    for a in range(12):
        for b in range(12):
            expected = all(worth[:, a] >= worth[:, b]) and any(worth[:, a] > worth[:, b])
            assert beaten[a, b] == expected


def test_shares_count_replicates() -> None:
    worth = np.random.default_rng(0).normal(size=(2, 50, 5))
    worth[0, 3, 1] = np.nan
    kept = [at for at in range(50) if at != 3]
    expected = np.mean([~dominates(worth[:, at]).any(0) for at in kept], axis=0)
    np.testing.assert_allclose(shares_on_front(worth), expected)
    assert np.isnan(shares_on_front(np.full((2, 3, 4), np.nan))).all()
