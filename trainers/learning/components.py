"""The terms of a sum of rewards: a score of a metric each, bound to its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import metrics
from inference.errors import InputError
from metrics.core.metric import BoundMetric
from trainers.job.options import Reward


@dataclass(frozen=True, slots=True)
class Component:
    """One term of the sum: column `column` of what `metric` says of a sample."""

    name: str  # of the series: the score's, made unique
    weight: float
    metric: BoundMetric
    column: int
    option: str  # "options.rewards[0]", for errors
    unmeasured: float | None  # what a completion without a value earns; None: an error


def component_of(
    reward: Reward, option: str, roots: Sequence[Path], taken: Sequence[str]
) -> Component:
    """The term of a sum that the reward at `option` is. Raises InputError, naming the option.

    taken  names of the terms before it
    """
    try:
        metric = metrics.find(reward.metric, roots)
    except InputError as error:
        raise InputError(error.message, f"{option}.metric") from None
    if metric.set_level:
        message = f"{metric.name} has no per-sample value, so it cannot be a reward"
        raise InputError(message, f"{option}.metric")
    try:
        bound = metric.bind(reward.params)
    except InputError as error:
        raise InputError(error.message, f"{option}.{error.field}") from None
    names = bound.score_names
    score = names[0] if reward.name is None else reward.name
    if score not in names:
        message = f"{metric.name} has no score {score!r}; there are {', '.join(names)}"
        raise InputError(message, f"{option}.name")
    if not np.isfinite(reward.weight):
        raise InputError("a weight is a finite number", f"{option}.weight")
    unmeasured = None if reward.unmeasured == "fail" else reward.unmeasured
    if unmeasured is not None and not np.isfinite(unmeasured):
        raise InputError("what an unmeasured completion earns is finite", f"{option}.unmeasured")
    again = sum(1 for name in taken if name.partition("#")[0] == score)
    unique = f"{score}#{again + 1}" if again else score
    return Component(unique, reward.weight, bound, names.index(score), option, unmeasured)
