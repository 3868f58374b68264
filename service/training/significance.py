"""Tests of what is looked at again and again as a job goes on: at every checkpoint.

At 5% a look, a job without a fault is accused the more surely the more checkpoints it has. So look
k is at level

    α_k = ALPHA · 6 / (π² k²)

whose sum over all k is ALPHA: the chance of any false alarm in a job stays below it, however many
checkpoints there will be and however they depend on each other. All tests are one-sided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, pi, sqrt
from statistics import mean, variance
from typing import Any

from metrics.statistics.paired import Difference
from metrics.statistics.quantiles import t_tail

ALPHA = 0.05  # of a job
WINDOW = 20  # logged steps at either end of the objective's series that are compared
FEWEST = 4  # logged steps a window needs, where nothing is known of a step's own error

Series = Sequence[tuple[int, Mapping[str, Any]]]  # (step, values by name)


def level(look: int) -> float:
    """α_k; looks count from 1."""
    return ALPHA * 6 / (pi * look) ** 2


def fallen(difference: Difference, higher_is_better: bool) -> float:
    """p-value of "not worse than the start", paired by sample: Student's t of value / error.

    Counted p-values end at 1 / 1001, which late looks are below. Exchanging n pairs gives no less
    than 2**-n, and neither does this: few samples cannot raise an alarm late in a job.
    """
    units = difference.units
    if not (isfinite(difference.value) and isfinite(difference.error)) or units < 2:
        return 1.0
    gain = difference.value if higher_is_better else -difference.value
    error = difference.error * sqrt(units / (units - 1))  # the bootstrap's is that of n, not n - 1
    return max(_tail(-gain, error, units - 1), 2.0**-units)


def risen(series: Series, names: Sequence[str], groups: int = 0) -> dict[str, float] | None:
    """How the objective's mean went from the first to the last logged steps, with the p-value of
    "not risen": Welch's t. None where it did not go up, or too little was logged to say.

    names   of the series of what is maximised (for DPO, the margin of its implicit rewards)
    groups  independent samples in a logged value, where NAME/error has its standard error: then
            two values are enough
    """
    for name in names:
        logged = [values for _, values in series if values.get(name) is not None]
        if logged:
            return _rise(logged, name, groups)
    return None


def _rise(logged: Sequence[Mapping[str, Any]], name: str, groups: int) -> dict[str, float] | None:
    size = min(WINDOW, len(logged) // 2)
    ends = [logged[:size], logged[-size:]] if size else []
    errors = [[float(one.get(f"{name}/error") or "nan") for one in end] for end in ends]
    if size >= FEWEST:
        parts = [variance(one[name] for one in end) / size for end in ends]
        freedom = size - 1
    elif ends and groups > 1 and all(isfinite(error) for end in errors for error in end):
        parts = [sum(error**2 for error in end) / size**2 for end in errors]
        freedom = size * (groups - 1)
    else:
        return None
    start, now = (mean(one[name] for one in end) for end in ends)
    if now <= start:
        return None
    whole = sum(parts)
    welch = freedom * whole**2 / sum(part**2 for part in parts) if whole else 1.0
    return {"start": start, "now": now, "p_value": _tail(now - start, sqrt(whole), welch)}


def _tail(value: float, error: float, freedom: float) -> float:
    """Chance of so great a value where 0 is true."""
    if error == 0:
        return 0.0 if value > 0 else 1.0
    both = t_tail(value / error, freedom)
    return both / 2 if value > 0 else 1 - both / 2
