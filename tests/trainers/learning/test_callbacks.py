"""Divergence, told from noise."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainers.job.errors import TrainingError
from trainers.learning.callbacks import Watch


def watched(values: list[float]) -> int | None:
    """The step at which these losses are called divergent."""
    watch = Watch()
    for step, loss in enumerate(values, 1):
        try:
            watch.check(step, {"loss": loss, "grad_norm": 1.0}, None)
        except TrainingError:
            return step
    return None


def test_exploding_is_told_from_noisy() -> None:
    usual = [2.0, 2.5, 1.5, 2.0, 3.0, 2.0, 1.0, 2.0]
    assert watched([*usual, *[40.0] * 10]) == len(usual) + Watch.EXPLODED
    assert watched([*usual, *[40.0] * 4, 2.0, *[40.0] * 4, *usual]) is None  # peaks
    assert watched([*usual, *[25.0] * 10]) is None  # bad, not exploded
    assert watched([0.01, -0.02, 0.005, 0.0, 0.01, *[5.0] * 10]) is None  # GRPO's are near zero
    assert watched([11.0 / (1 + n) for n in range(60)]) is None
    assert watched([1.0, float("inf")]) == 2


def test_a_gradient_that_is_not_finite_ends_it() -> None:
    with pytest.raises(TrainingError, match=r"step 7: grad_norm is nan.*checkpoint-5"):
        Watch().check(7, {"loss": 1.0, "grad_norm": float("nan")}, Path("x/checkpoint-5"))
