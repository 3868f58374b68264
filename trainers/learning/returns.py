"""From what completions earn to what their tokens are worth: scale, rewards of tokens, advantages.

Loads no torch: trainers import this module at their top.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainers.learning.processes import count, total

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class RewardScale:
    """Mean and deviation of all rewards so far, over the processes.

    number   rewards seen
    squares  Σ (R − mean)²
    """

    number: float = 0.0
    mean: float = 0.0
    squares: float = 0.0

    @property
    def deviation(self) -> float:
        """1 while all rewards were the same: there is no scale to see yet."""
        found = (self.squares / self.number) ** 0.5 if self.number else 0.0
        return found if found > 1e-9 * max(abs(self.mean), 1e-9) else 1.0

    def normalized(self, scores: Tensor) -> Tensor:
        """(N,) of (N,): these rewards are taken in first, so that the largest is of known size."""
        own = scores.double()
        number = float(len(own) * count())
        mean = float(total(own.sum())) / number
        squares = float(total(((own - mean) ** 2).sum()))
        both = self.number + number
        away = mean - self.mean  # Chan et al., 1979: moments of two sets together
        self.squares += squares + away**2 * self.number * number / both
        self.mean += away * number / both
        self.number = both
        return ((own - self.mean) / self.deviation).to(scores.dtype)

    def state(self) -> dict[str, float]:
        """For a checkpoint."""
        return {"number": self.number, "mean": self.mean, "squares": self.squares}

    @classmethod
    def of(cls, state: Mapping[str, float]) -> RewardScale:
        """What `state` told; a new one of an empty one."""
        return cls(**state)


def advantages(rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float) -> Tensor:
    """(B, T) Â of rewards and values (B, T); `mask` is true up to each completion's end."""
    gains = rewards.new_zeros(rewards.shape)
    after = next_value = rewards.new_zeros(len(rewards))  # (B,): Â_{t+1}, V_old(s_{t+1})
    for t in reversed(range(rewards.shape[1])):
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        after = (delta + gamma * lam * after) * mask[:, t]
        next_value = values[:, t] * mask[:, t]
        gains[:, t] = after
    return gains


def token_rewards(scores: Tensor, kl: Tensor, mask: Tensor, coef: float) -> Tensor:
    """(B, T) r_t: −coef · kl at every token, and the completion's score (B,) at its last."""
    rewards = -coef * kl * mask
    rewards[range(len(scores)), mask.sum(1) - 1] += scores
    return rewards
