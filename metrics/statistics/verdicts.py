"""Verdicts on several margins at once: may the candidate replace the baseline?

Each question has two answers that may be wrong: "go" though the drop exceeds the margin, "no go"
though it does not. Both are held below alpha over all critical questions together: by Holm's
correction, or by Bonferroni's where confidence sequences are looked at again and again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metrics.statistics.noninferiority import (
    Margin,
    Verdict,
    decided,
    non_inferior,
    non_inferior_share,
    unvaried,
)
from metrics.statistics.power import MOST, samples_needed
from metrics.statistics.ranking import holm
from metrics.statistics.sequential import confidence_sequence
from metrics.statistics.weights import Floats

SETTLED = 0.8  # power: so likely are the samples that are asked for to settle it


@dataclass(frozen=True, slots=True)
class Running:
    """Differences of bounded values in the order in which they came, for always-valid bounds.

    low, high  what none of them can be outside of
    weights    (n,) in (0, 1]: sizes of clusters over the largest; None: all alike
    """

    differences: Floats
    low: float
    high: float
    weights: Floats | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One margin, and what is known of the difference; more is better for the candidate.

    error, freedom  of the difference (and of the margin, where it is a share of the baseline)
    units           that the difference is over
    reach           the least and greatest difference a unit can have, where scores are bounded
    changed         of scores of 0 and 1: how many samples got better, and how many worse
    running         in place of error and freedom: the differences one by one
    """

    difference: float
    margin: float
    error: float
    freedom: float
    units: int
    reach: tuple[float, float] | None = None
    changed: tuple[int, int] | None = None
    running: Running | None = None

    def answer(self, alpha: float) -> Margin:
        """The verdict with each way of erring below alpha, looked at once."""
        if self.changed is not None:
            return non_inferior_share(*self.changed, self.units, self.margin, alpha)
        if self.error == 0.0 and self.reach is not None:
            return unvaried(self.difference, self.units, *self.reach, self.margin, alpha)
        return non_inferior(self.difference, self.error, self.freedom, self.margin, alpha)

    def mirrored(self) -> Question:
        """The question from the other side: its lower bound is this one's upper, negated."""
        reach = None if self.reach is None else (-self.reach[1], -self.reach[0])
        changed = None if self.changed is None else (self.changed[1], self.changed[0])
        return Question(
            -self.difference, -self.margin, self.error, self.freedom, self.units, reach, changed
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found for one question.

    interval   each end is one-sided, at its corrected level: the lower one above -margin is "go",
               the upper one below it "no go"; None where nothing is known
    p_go       corrected p-values; None for confidence sequences
    more       units that are likely (80%) to settle it beside those there are, if the true
               difference is the one seen; 0 where it is settled; None where no number would do
    """

    verdict: Verdict
    interval: tuple[float, float] | None
    p_go: float | None
    p_no_go: float | None
    more: int | None


def answers(questions: Sequence[Question], alpha: float) -> list[Answer]:
    """An answer each; together they err in either way with probability alpha at most."""
    if any(one.running is not None for one in questions):
        return [_running(one, alpha / len(questions)) for one in questions]
    plain = [one.answer(alpha) for one in questions]
    go, level_go = _corrected([one.p_go for one in plain], alpha)
    no_go, level_no_go = _corrected([one.p_no_go for one in plain], alpha)
    found = []
    for at, one in enumerate(questions):
        low = one.answer(level_go[at]).bound
        high = -one.mirrored().answer(level_no_go[at]).bound
        verdict = decided(go[at], no_go[at], alpha)
        known = math.isfinite(low) and math.isfinite(high)
        level = level_go[at] if one.difference > -one.margin else level_no_go[at]
        found.append(
            Answer(
                verdict=verdict,
                interval=(low, high) if known else None,
                p_go=float(go[at]) if known else None,
                p_no_go=float(no_go[at]) if known else None,
                more=0 if verdict != "inconclusive" else _more(one, level),
            )
        )
    return found


def together(critical: Sequence[Verdict], supporting: Sequence[Verdict] = ()) -> Verdict:
    """The verdict on all: "no_go" where a critical one is; "go" where all critical ones are and no
    supporting one is "no_go"."""
    if "no_go" in critical:
        return "no_go"
    if critical and all(one == "go" for one in critical) and "no_go" not in supporting:
        return "go"
    return "inconclusive"


def _corrected(p_values: Sequence[float], alpha: float) -> tuple[Floats, Floats]:
    """Holm's adjusted p-values, and the level that each of the plain ones is so compared with."""
    plain = np.array(p_values, np.float64)
    adjusted = holm(plain)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = plain / adjusted
    levels = alpha * np.where(np.isfinite(share) & (share > 0.0), share, 1.0 / len(plain))
    return adjusted, levels


def _running(one: Question, alpha: float) -> Answer:
    """By the confidence sequence; each of its sides errs with probability alpha."""
    running = one.running
    if running is None or not len(running.differences):
        return Answer("inconclusive", None, None, None, None)
    low, high = confidence_sequence(
        running.differences, running.low, running.high, 2.0 * alpha, weights=running.weights
    )
    ends = float(low[-1]), float(high[-1])
    verdict: Verdict = "inconclusive"
    if ends[0] > -one.margin:
        verdict = "go"
    elif ends[1] < -one.margin:
        verdict = "no_go"
    more = 0 if verdict != "inconclusive" else _more_running(one, ends)
    return Answer(verdict, ends, None, None, more)


def _more(one: Question, level: float) -> int | None:
    gap = one.difference + one.margin
    if not math.isfinite(one.error) or gap == 0.0:
        return None
    if one.error == 0.0:
        if one.reach is None:
            return None
        reach = one.difference - one.reach[0] if gap > 0 else one.reach[1] - one.difference
        share = abs(gap) / reach if reach > abs(gap) else 1.0
        needed = math.ceil(math.log(level) / math.log1p(-share)) + 1 if share < 1.0 else 2
    else:
        deviation = one.error * math.sqrt(one.units)
        needed = samples_needed(deviation, gap, SETTLED, level, one_sided=True)
    return None if needed >= MOST else max(needed - one.units, 1)


def _more_running(one: Question, ends: tuple[float, float]) -> int | None:
    """The distance of the deciding end shrinks as one over the root of the number of units."""
    gap = one.difference + one.margin
    half = one.difference - ends[0] if gap > 0 else ends[1] - one.difference
    if gap == 0.0 or half <= 0.0:
        return None
    needed = math.ceil(one.units * (half / abs(gap)) ** 2)
    return None if needed >= MOST else max(needed - one.units, 1)
