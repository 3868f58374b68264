"""The KL between a policy and its reference: estimates from actions, and what it costs.

Loads no torch: trainers import this module at their top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor


# from the actions alone, KL(π_θ ‖ π_ref) over the vocabulary, KL(π_ref ‖ π_θ) over it
Kl = Literal["sampled", "exact", "exact_from_reference"]


def kl_estimate(logprobs: Tensor, reference: Tensor, kind: Literal["k1", "k2", "k3"]) -> Tensor:
    """KL(π ‖ π_ref) from actions drawn by π, each: k1 is unbiased, k2 and k3 are never negative."""
    k1 = logprobs - reference
    if kind == "k1":
        return k1
    return k1**2 / 2 if kind == "k2" else (-k1).exp() - 1 + k1


def next_kl_coef(coef: float, kl: float, target: float, horizon: int, completions: int) -> float:
    """β after a rollout that measured `kl` nats a completion."""
    error = min(max(kl / target - 1, -0.2), 0.2)
    return coef * (1 + error * min(completions / horizon, 1))
