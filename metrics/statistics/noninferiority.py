"""Non-inferiority: is the candidate at most a margin worse, by more than chance could make it seem?

    difference  candidate less baseline, signed so that more is better for the candidate
    error       its standard error
    freedom     its degrees of freedom; infinite for the normal
    margin      the drop that is allowed; negative: the gain that is demanded

One interval decides both ways: its lower end above -margin shows that the candidate is good enough,
its upper end below it that it is not. A plain test of "no difference" shows neither: with few
samples it passes whatever there is, with many it fails what does not matter.

Source: Piaggio et al. (2012), "Reporting of noninferiority and equivalence randomized trials".
"""

from __future__ import annotations

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
    verdict: Verdict = "go" if p_go < alpha else "no_go" if p_no_go < alpha else "inconclusive"
    return Margin(bound, verdict, p_go, p_no_go)
