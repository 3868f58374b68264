"""Non-inferiority: is the candidate at most a margin worse, by more than chance could make it seem?

    difference  candidate less baseline, signed so that more is better for the candidate
    error       its standard error
    freedom     its degrees of freedom; infinite for the normal
    margin      the drop that is allowed; negative: the gain that is demanded

One interval decides both ways: its lower end above -margin shows that the candidate is good enough,
its upper end below it that it is not. A plain test of "no difference" shows neither: with few
samples it passes whatever there is, with many it fails what does not matter.

Sources: Piaggio et al. (2012), "Reporting of noninferiority and equivalence randomized trials";
Tango (1998), "Equivalence test and confidence interval for the difference in proportions for the
paired-sample design", for scores of 0 and 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

Verdict = Literal["go", "no_go", "inconclusive"]
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Margin:
    """What the interval says of the margin.

    bound     lower end of the one-sided (1 - alpha) interval of the difference
    verdict   "go": bound > -margin; "no_go": the upper end is below -margin
    p_go      p-value of "the candidate is worse by the margin or more"
    p_no_go   p-value of "the candidate is within the margin"
    """

    bound: float
    verdict: Verdict
    p_go: float
    p_no_go: float


def decided(p_go: float, p_no_go: float, alpha: float) -> Verdict:
    """The verdict that these p-values allow; NaN allows none."""
    return "go" if p_go < alpha else "no_go" if p_no_go < alpha else "inconclusive"


def non_inferior(
    difference: float, error: float, freedom: float, margin: float, alpha: float
) -> Margin:
    """The verdict on one difference; each of its two ways errs with probability `alpha` at most.

    Without a finite difference and error the verdict is "inconclusive", and all numbers are NaN. An
    error of zero decides by the difference alone; a drop of exactly the margin is allowed then.
    """
    from scipy.special import stdtr, stdtrit

    if not (np.isfinite(difference) and np.isfinite(error)):
        return Margin(NAN, "inconclusive", NAN, NAN)
    gap = difference + margin
    if error == 0.0:
        passed = gap >= 0.0
        return Margin(difference, "go" if passed else "no_go", float(not passed), float(passed))
    degrees = min(freedom, 1e10)  # beyond, Student's t is the normal to the last digit
    bound = difference - float(stdtrit(degrees, 1.0 - alpha)) * error
    p_go = float(stdtr(degrees, -gap / error))
    p_no_go = float(stdtr(degrees, gap / error))
    return Margin(bound, decided(p_go, p_no_go, alpha), p_go, p_no_go)


def non_inferior_share(better: int, worse: int, n: int, margin: float, alpha: float) -> Margin:
    """The verdict on shares: of n samples scored 0 or 1, so many got better and so many worse.

    Tango's score test takes the variance that the margin itself implies. A t-test takes the one
    that was seen, too small where hardly a sample changed: at 5% worse and n = 200, it passed 14%
    of candidates exactly at the margin.
    """
    if n < 1:
        return Margin(NAN, "inconclusive", NAN, NAN)
    p_go = _share_tail(better, worse, n, -margin)
    p_no_go = 1.0 - p_go
    low, high = -1.0, (better - worse) / n
    for _ in range(50):  # where the test turns: below, the true difference is ruled out
        middle = (low + high) / 2.0
        below = _share_tail(better, worse, n, middle) < alpha
        low, high = (middle, high) if below else (low, middle)
    return Margin(low, decided(p_go, p_no_go, alpha), p_go, p_no_go)


def _share_tail(better: int, worse: int, n: int, true: float) -> float:
    """p-value of "the true difference is `true` or less"."""
    if abs(true) >= 1.0:
        return float(true >= 1.0)
    a = 2.0 * n
    b = -better - worse + (a - better + worse) * true
    c = -worse * true * (1.0 - true)
    root = math.sqrt(max(b * b - 4.0 * a * c, 0.0))
    share = (root - b) / (2.0 * a)  # that gets worse, were `true` the difference: its estimate
    variance = n * (2.0 * share + true * (1.0 - true))
    gap = better - worse - n * true
    if variance <= 0.0:
        return 0.5 if gap == 0.0 else float(gap < 0.0)
    return math.erfc(gap / math.sqrt(2.0 * variance)) / 2.0


def unvaried(
    difference: float, units: int, low: float, high: float, margin: float, alpha: float
) -> Margin:
    """The verdict where all `units` differ by the same `difference`, and so tell no error.

    low, high  the least and greatest difference that a unit can have

    n units without a change leave open that a share of 1 - alpha^(1/n) of all units changes: the
    rule of three. At worst those would differ by `low`, at best by `high`.
    """
    if units < 1:
        return Margin(NAN, "inconclusive", NAN, NAN)
    gap = difference + margin
    bound = difference - (1.0 - alpha ** (1.0 / units)) * (difference - low)
    p_go = _unseen(gap, difference - low, units)
    p_no_go = _unseen(-gap, high - difference, units)
    return Margin(bound, decided(p_go, p_no_go, alpha), p_go, p_no_go)


def _unseen(gap: float, reach: float, units: int) -> float:
    """Chance that n units show no change where enough would change to take the `gap` away."""
    if gap <= 0.0:
        return 1.0
    return (1.0 - gap / reach) ** units if gap < reach else 0.0
