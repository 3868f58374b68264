"""Divergence, told from noise; spikes; completions that never end."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainers.job.errors import TrainingError
from trainers.learning.watches import EndWatch, LossWatch


def watched(values: list[float]) -> int | None:
    """The step at which these losses are called divergent."""
    watch = LossWatch()
    for step, loss in enumerate(values, 1):
        try:
            watch.check(step, {"loss": loss, "grad_norm": 1.0}, None)
        except TrainingError:
            return step
    return None


def test_exploding_is_told_from_noisy() -> None:
    usual = [2.0, 2.5, 1.5, 2.0, 3.0, 2.0, 1.0, 2.0]
    assert watched([*usual, *[40.0] * 10]) == len(usual) + LossWatch.EXPLODED
    assert watched([*usual, *[40.0] * 4, 2.0, *[40.0] * 4, *usual]) is None  # peaks
    assert watched([*usual, *[25.0] * 10]) is None  # bad, not exploded
    assert watched([0.01, -0.02, 0.005, 0.0, 0.01, *[5.0] * 10]) is None  # GRPO's are near zero
    assert watched([11.0 / (1 + n) for n in range(60)]) is None
    assert watched([1.0, float("inf")]) == 2


def test_a_gradient_that_is_not_finite_ends_it() -> None:
    with pytest.raises(TrainingError, match=r"step 7: grad_norm is nan.*checkpoint-5"):
        LossWatch().check(7, {"loss": 1.0, "grad_norm": float("nan")}, Path("x/checkpoint-5"))


def spikes(values: list[float]) -> list[tuple[str, int]]:
    told: list[tuple[str, int]] = []
    watch = LossWatch(lambda name, step, **data: told.append((name, step)))
    for step, loss in enumerate(values, 1):
        watch.check(step, {"loss": loss}, None)
    return told


def test_a_loss_that_explodes_and_comes_back_is_told() -> None:
    """What a learning rate of 1 does to SFT: nothing else said that the model was destroyed."""
    assert spikes([8.0, 40.0, 12.0, 3.0, 0.07, 0.07]) == [("loss_spike", 2)]
    assert spikes([2.0, 2.0, 2.0, 30.0, 31.0, 2.0, 30.0]) == [("loss_spike", 4), ("loss_spike", 7)]
    assert spikes([2.0, 2.5, 3.5, 1.0, 4.0, 2.0]) == []
    assert spikes([0.01, -0.2, 0.5, -1.0, 0.0]) == []


def test_completions_that_never_end_are_told_once() -> None:
    told: list[tuple[str, int]] = []
    watch = EndWatch(lambda name, step, **data: told.append((name, step)))
    ended = [0.0, 0.01, 0.0, 0.5, 0.0, None, 0.0, 0.0, 0.02, 0.0, 0.0, 0.0]
    for step, share in enumerate(ended, 1):
        watch.check(step, {} if share is None else {"completions/ended": share})
    assert told == [("endless_completions", 10)]
