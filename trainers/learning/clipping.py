"""The clipped losses of actions and of values.

Loads no torch: trainers import this module at their top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def policy_loss(
    logprobs: Tensor, old: Tensor, advantages: Tensor, cliprange: float
) -> tuple[Tensor, Tensor]:
    """(B, T) L_policy of every token, and where the clip decides it."""
    ratio = (logprobs - old).exp()
    plain = -advantages * ratio
    clipped = -advantages * ratio.clamp(1 - cliprange, 1 + cliprange)
    return plain.maximum(clipped), clipped > plain


def value_loss(
    values: Tensor, old: Tensor, returns: Tensor, cliprange: float
) -> tuple[Tensor, Tensor]:
    """(B, T) L_value of every token, and where the clip decides it."""
    plain = (values - returns) ** 2
    clipped = (old + (values - old).clamp(-cliprange, cliprange) - returns) ** 2
    return plain.maximum(clipped) / 2, clipped > plain
