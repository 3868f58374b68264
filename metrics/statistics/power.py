"""Power: how many samples show a difference of a given size, and which size a set can show.

    deviation  standard deviation of what a unit says: of the paired differences; of one system's
               values where the systems are measured on different samples (`paired=False`). For a
               value that is no mean, of the jackknife's pseudo-values: error · √units
    effect     the true difference to be found, in the score's own unit
    power      the probability of finding it
    alpha      of the test

Student's t-test on n units (paired), or on n units in either group (unpaired), by the noncentral t.

Source: Cohen (1988), "Statistical power analysis for the behavioral sciences"; the numbers are
those of statsmodels' TTestPower and TTestIndPower; Card et al. (2020), "With little power comes
great responsibility", for language models.
"""

from __future__ import annotations

import math

import numpy as np

LEAST = 2  # units below which there is no variance to test with
MOST = 10**12  # units that are looked for
SURE = 40.0  # standard errors beyond which there is no doubt left, and no noncentral t


def power_of(
    deviation: float,
    n: float,
    effect: float,
    alpha: float,
    *,
    paired: bool = True,
    one_sided: bool = False,
) -> float:
    """The probability of finding the effect with n units (unpaired: in either group)."""
    from scipy.special import nctdtr, ndtr, stdtrit

    freedom = n - 1.0 if paired else 2.0 * (n - 1.0)
    shift = abs(effect) / deviation * math.sqrt(n if paired else n / 2.0)
    tail = alpha if one_sided else alpha / 2.0
    bar = float(stdtrit(freedom, 1.0 - tail))
    if shift - bar > SURE:
        return 1.0
    if freedom > 1e6:  # the noncentral t is the normal to six digits
        found = float(ndtr(shift - bar))
        return found if one_sided else found + float(ndtr(-shift - bar))
    found = 1.0 - float(nctdtr(freedom, shift, bar))
    if not one_sided:
        found += float(np.nan_to_num(nctdtr(freedom, shift, -bar)))  # NaN for less than 1e-17
    return found


def samples_needed(
    deviation: float,
    effect: float,
    power: float,
    alpha: float,
    *,
    paired: bool = True,
    one_sided: bool = False,
) -> int:
    """The least n that finds the effect with this power; unpaired, in either group.

    2 where nothing varies; MOST where so many or more are needed. Raises ValueError for an effect
    of zero, which no n can show.
    """
    if effect == 0.0:
        raise ValueError("an effect of zero cannot be found with any number of samples")
    if deviation == 0.0:
        return LEAST

    def enough(n: int) -> bool:
        return power_of(deviation, n, effect, alpha, paired=paired, one_sided=one_sided) >= power

    high = LEAST
    while not enough(high):
        if high == MOST:
            return MOST
        high = min(2 * high, MOST)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return max(high, LEAST)


def detectable(
    deviation: float,
    n: int,
    power: float,
    alpha: float,
    *,
    paired: bool = True,
    one_sided: bool = False,
) -> float:
    """The least true difference that n units find with this power; NaN with fewer than 2 units."""
    if n < LEAST:
        return float("nan")
    if deviation == 0.0:
        return 0.0
    low, high = 0.0, deviation
    while power_of(deviation, n, high, alpha, paired=paired, one_sided=one_sided) < power:
        low, high = high, 2.0 * high
    for _ in range(60):
        middle = (low + high) / 2.0
        found = power_of(deviation, n, middle, alpha, paired=paired, one_sided=one_sided)
        low, high = (low, middle) if found >= power else (middle, high)
    return high


def draws_gain(questions: float, draws: float, outputs: int) -> tuple[tuple[int, float], ...]:
    """By how much more outputs a sample would narrow the interval.

    questions, draws  variance between samples, and between the outputs of one sample
    outputs           how many there are now

    ((outputs, ratio), …) the standard error with so many, as a share of today's; the last one, with
    0 outputs, is the limit of ever more of them.
    """
    now = questions + draws / outputs
    if not now > 0.0:
        return ()
    more = [(outputs * k, questions + draws / (outputs * k)) for k in (2, 4, 8)]
    return tuple((count, math.sqrt(one / now)) for count, one in (*more, (0, questions)))
