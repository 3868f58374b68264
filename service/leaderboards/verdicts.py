"""Tests as they are shown: corrected, with what they could have found, and what is withheld."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from metrics.core.compare import Comparison
from metrics.statistics.corrections import CORRECTED, Correction
from metrics.statistics.diagnostics import FEW
from metrics.statistics.many import TIE
from metrics.statistics.paired import Difference
from service.evaluations.store import Evaluation
from service.figures.numbers import finite
from service.leaderboards.matching import Match
from service.leaderboards.paired import ALPHA
from service.leaderboards.schemas import ResultOut

OF_WHOLE_SETS = ("paired_jackknife", "exchange")
POWER = 0.8  # of `minimum_detectable_difference` and `samples_to_separate`
WITHHELD = (
    "{} has no value on {} samples on which {} has one, and may be better only for that: no verdict"
)
UNLIKE = "{} samples have a value of a alone and {} of b alone: {}"
SHARED = "the two are compared over the {} that have both"
UNVOTED = "; of {} of the others it is votes that are lacking, which counts against neither"
BOUNDS = "; with the worst and the best for what is missing, a - b is between {:.4g} and {:.4g}"
ALIKE = (
    "a and b differ by the same on all {} {}: that does not show how far others might differ, so "
    "there is no interval"
)


def shown(rows: Sequence[Evaluation], one: Match, test: str, found: Comparison) -> ResultOut:
    """One test, before it is corrected."""
    a, b = (rows[at] for at in one.pair)
    told = found.difference
    return ResultOut(
        metric=one.left.metric,
        name=one.left.name,
        evaluation_a=a.id,
        evaluation_b=b.id,
        system_a=a.system,
        system_b=b.system,
        p_corrected=None,
        significant=None,
        only_a=found.only_a,
        only_b=found.only_b,
        unvoted_a=found.unvoted_a,
        unvoted_b=found.unvoted_b,
        higher_is_better=one.left.higher_is_better,
        judged=one.left.judged,
        signature=one.left.signature or "",
        error=found.error,
        **(_untold(one, test) if told is None else _told(found, told)),
    )


def _untold(one: Match, test: str) -> dict[str, Any]:
    """The fields of a result without a test."""
    none = dict.fromkeys(("difference", "interval", "p_value"))
    return {"a": one.left.value, "b": one.right.value, "n": 0, "test": test, **none}


def _told(found: Comparison, told: Difference) -> dict[str, Any]:
    """The fields of a result that tell of its test; a and b are over the units that both have."""
    testable = told.units >= 2
    alike = told.error <= TIE * max(abs(found.a or 0.0), abs(found.b or 0.0))
    units = _units(found.clusters)
    few = _few(told.units, found.clusters) if testable else []
    same = [ALIKE.format(told.units, units)] if testable and alike else []
    return {
        "a": found.a,
        "b": found.b,
        "difference": told.value,
        "interval": None if same else told.interval,
        "level": told.level,
        "standard_error": finite(told.error),
        "p_value": finite(told.p_value) if testable else None,
        "p_method": told.p_method if testable else None,
        "n": found.n,
        "rated": found.rated,
        "clusters": found.clusters,
        "design_effect": found.design_effect,
        "wins": found.wins,
        "ties": found.ties,
        "losses": found.losses,
        "bounds": found.bounds,
        "test": told.test,
        "note": None if testable else f"a single {units[:-1]} allows no test",
        "warnings": [*found.warnings, *few, *same, *_unlike(found, told)],
    }


def _unlike(found: Comparison, told: Difference) -> list[str]:
    """Which samples one alone has a value on: whoever is ahead, that may set the two apart."""
    if not found.only_a and not found.only_b:
        return []
    whole = told.test in OF_WHOLE_SETS
    shared = "their sets are not the same" if whole else SHARED.format(found.n)
    bounds = "" if found.bounds is None else BOUNDS.format(*found.bounds)
    unvoted = found.unvoted_a + found.unvoted_b
    votes = UNVOTED.format(unvoted) if unvoted else ""
    return [UNLIKE.format(found.only_a, found.only_b, shared) + votes + bounds]


def correct(results: Sequence[ResultOut], correction: Correction) -> None:
    """The p-values of all results together, and what follows from them."""
    with_p = [one for one in results if one.p_value is not None]
    p_values = np.array([one.p_value for one in with_p], np.float64)
    level = ALPHA / max(1, len(with_p)) if correction == "holm" else ALPHA
    tail, power = -NormalDist().inv_cdf(level / 2), -NormalDist().inv_cdf(1 - POWER)
    for one, p_value in zip(with_p, CORRECTED[correction](p_values).tolist(), strict=True):
        one.p_corrected = p_value
        one.significant = p_value <= ALPHA
        one.note = _withheld(one)
        if one.note is not None:
            one.significant = None
        _separable(one, tail, tail + power)


def _separable(one: ResultOut, tail: float, reach: float) -> None:
    """What difference n samples find, and how many find this one; of sums over samples alone.

    tail   the normal's, of the level at which a difference is significant; `reach` with the power's
    """
    error, n = one.standard_error, one.n
    if one.test in OF_WHOLE_SETS or not error or one.difference is None:
        return
    few = tail**2 / 2  # what Student's t asks for beyond the normal
    if n > few:
        one.minimum_detectable_difference = reach * error * math.sqrt(n / (n - few))
    if one.difference:
        ratio = reach * error / one.difference
        one.samples_to_separate = math.ceil(min(n * ratio**2 + few, 1e15))


def _withheld(one: ResultOut) -> str | None:
    """Why the better of the two is not called better: it lacks samples that the other has."""
    if not one.judged:
        return None
    ahead = (one.difference or 0.0) * (1 if one.higher_is_better else -1)
    by_a, by_b = one.only_b - one.unvoted_a, one.only_a - one.unvoted_b
    if ahead > 0 and by_a:
        return WITHHELD.format("a", by_a, "b")
    if ahead < 0 and by_b:
        return WITHHELD.format("b", by_b, "a")
    return None


def _few(units: int, clusters: int | None) -> list[str]:
    if units >= FEW:
        return []
    return [f"only {units} {_units(clusters)}: the test is rough"]


def _units(clusters: int | None) -> str:
    return "samples" if clusters is None else "clusters"
