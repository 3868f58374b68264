"""Means over tokens, steps and the processes of a job.

Loads no torch: trainers import this module at their top.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from trainers.learning.processes import count, total

if TYPE_CHECKING:
    from torch import Tensor


def moments(
    values: Tensor, mask: Tensor, total: Callable[[Tensor], Tensor] = total
) -> tuple[Tensor, Tensor]:
    """Mean and (biased) variance where the mask is true, over all processes."""
    tokens = total(mask.sum())
    mean = total((values * mask).sum()) / tokens
    return mean, total(((values - mean) ** 2 * mask).sum()) / tokens


def prediction(values: Tensor, returns: Tensor, mask: Tensor) -> dict[str, float]:
    """How well values (N, T) foretell returns (N, T), as series.

    `explained_variance` is 1 where they are the returns, 0 where a constant would do as well, and
    negative where they are worse than that.
    """
    mean, variance = moments(returns, mask)
    unexplained = moments(returns - values, mask)[1]
    return {
        "returns/mean": float(mean),
        "returns/std": float(variance.sqrt()),
        "explained_variance": float(1 - unexplained / variance) if variance > 0 else 0.0,
    }


def mean_error(groups: Tensor) -> float | None:
    """Standard error of the mean over groups (N, G) of all processes; values of one group are
    alike. None of a single group."""
    if len(groups) < 2:
        return None
    shared = float(len(groups) * count())
    return float(groups.mean(1).std()) / float(shared**0.5)


class Series:
    """Values by name since the last report; reported is their mean, over the processes too."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = defaultdict(list)

    def add(self, values: Mapping[str, float | Tensor]) -> None:
        """One more value of each."""
        for name, value in values.items():
            number = value if isinstance(value, int | float) else value.detach()
            self._values[name].append(float(number))

    def means(self, device: object) -> dict[str, float]:
        """The mean of each, and a new beginning. All processes have to have the same names."""
        import torch

        names = sorted(self._values)
        own = [float(np.mean(self._values[name])) for name in names]
        self._values.clear()
        sums = total(torch.tensor(own, dtype=torch.float64, device=device))  # type: ignore[arg-type]
        return dict(zip(names, (sums / count()).tolist(), strict=True))
