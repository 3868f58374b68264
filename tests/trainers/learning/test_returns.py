"""The scale of rewards, against numpy over all that was seen."""

from __future__ import annotations

import numpy as np
import torch

from trainers.learning.returns import RewardScale


def test_moments_are_those_of_all_rewards_so_far() -> None:
    generator = np.random.default_rng(0)
    scale, seen = RewardScale(), np.zeros(0)
    for size in (4, 1, 16):
        batch = generator.normal(95.0, 0.3, size)
        seen = np.concatenate([seen, batch])
        found = scale.normalized(torch.tensor(batch))
        np.testing.assert_allclose(found.numpy(), (batch - seen.mean()) / seen.std(), rtol=1e-9)
        scale = RewardScale.of(scale.state())
    assert (scale.number, scale.mean) == (21, seen.mean())


def test_equal_rewards_have_no_scale_yet() -> None:
    scale = RewardScale()
    assert scale.normalized(torch.full((4,), 70.0)).tolist() == [0.0] * 4
    assert scale.deviation == 1.0
    found = scale.normalized(torch.tensor([70.0, 70.0, 70.0, 80.0]))
    assert found[-1] > found[0]
    assert RewardScale().normalized(torch.zeros(3)).tolist() == [0.0] * 3
