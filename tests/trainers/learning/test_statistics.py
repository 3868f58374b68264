"""Means over tokens and processes, by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from trainers.learning.statistics import Series, mean_error, moments, prediction


def alone(values: Tensor) -> Tensor:
    """A sum over the one process there is."""
    return values


def test_moments_where_the_mask_is_true() -> None:
    values = torch.tensor([[1.0, 2.0, 99.0], [6.0, 99.0, 99.0]])
    mask = torch.tensor([[True, True, False], [True, False, False]])
    mean, variance = moments(values, mask, alone)
    assert (float(mean), float(variance)) == pytest.approx((3.0, 14 / 3))
    twice = moments(values, mask, lambda one: one + one)  # two processes that saw the same
    assert [float(one) for one in twice] == pytest.approx([3.0, 14 / 3])


def test_the_error_of_a_mean_is_that_of_independent_groups() -> None:
    groups = torch.tensor([[1.0, 1.0], [2.0, 4.0], [5.0, 5.0]])  # of means 1, 3, 5
    assert mean_error(groups) == pytest.approx(2 / 3**0.5)
    assert mean_error(groups[:1]) is None


def test_how_well_values_foretell_returns() -> None:
    returns = torch.tensor([[1.0, 2.0, 99.0], [6.0, 99.0, 99.0]])
    mask = torch.tensor([[True, True, False], [True, False, False]])
    alike = prediction(returns.clone(), returns, mask)
    assert alike == {
        "returns/mean": pytest.approx(3.0),
        "returns/std": pytest.approx((14 / 3) ** 0.5),
        "explained_variance": 1.0,
    }
    constant = prediction(torch.full_like(returns, 5.0), returns, mask)
    assert constant["explained_variance"] == pytest.approx(0, abs=1e-6)
    assert prediction(-returns, returns, mask)["explained_variance"] == pytest.approx(-3)
    same = torch.ones_like(returns)
    assert prediction(returns, same, mask)["explained_variance"] == 0  # nothing to explain


def test_series_are_means_since_the_last_report() -> None:
    series = Series()
    series.add({"loss": 1.0, "kl": torch.tensor(4.0)})
    series.add({"loss": 2.0})
    assert series.means("cpu") == {"loss": 1.5, "kl": 4.0}
    assert series.means("cpu") == {}
