"""Annotators: how each one votes, beside the others, and who stands out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from metrics.core.rows import Floats
from metrics.statistics import annotators as panel
from metrics.statistics.annotators import PositionBias, Side, outliers
from metrics.statistics.estimates import Estimates, proportions
from service.annotation.hashes import hashed
from service.figures.numbers import finite
from service.vote_analyses import labels
from service.vote_analyses.agreement import ALIKE, ALONE, DISTANCES, compared
from service.vote_analyses.ballots import Ballots
from service.vote_analyses.numbers import estimate
from service.vote_analyses.pairwise import chosen
from service.vote_analyses.schemas import AnnotatorAnalysisOut, AnsweredShareOut, VoteEstimateOut

ALPHA = 0.05
KINDS = ("gold", "control", "repeat")
NOT_ASKED = "none were answered"
NOT_TOLD = "the page told no times"
NOT_CHOSEN = "only ties so far"


@dataclass(frozen=True, slots=True)
class Panel:
    """(J,) of each annotator; None of what the form does not have.

    checks  of each kind how many there were (J,), and shares
    """

    agreement: Estimates
    alpha: Estimates
    severity: Estimates | None
    first_shown: PositionBias | None
    accuracy: Floats | None
    seconds: Estimates
    checks: dict[str, tuple[Floats, Estimates]]


def annotators(ballots: Ballots) -> list[AnnotatorAnalysisOut]:
    """Everybody who voted, by id."""
    if not ballots.annotators:
        return []
    found = _panel(ballots)
    told, why = _outliers(found)
    votes = np.bincount(ballots.annotator, minlength=len(ballots.annotators))
    return [
        AnnotatorAnalysisOut(
            annotator=id,
            name=ballots.names[id],
            hash=hashed(ballots.project, id),
            votes=int(votes[at]),
            agreement=estimate(found.agreement[at], ALONE),
            alpha=estimate(found.alpha[at], ALIKE),
            severity=_part(found.severity, at, ALONE),
            first_shown=_part(_each(found.first_shown), at, NOT_CHOSEN),
            accuracy=None if found.accuracy is None else finite(found.accuracy[at]),
            seconds=estimate(found.seconds[at], NOT_TOLD),
            gold=_check(*found.checks["gold"], at),
            control=_check(*found.checks["control"], at),
            repeats=_check(*found.checks["repeat"], at),
            outlier=bool(why[at]) if told[at] else None,
            why=why[at],
        )
        for at, id in enumerate(ballots.annotators)
    ]


def _panel(ballots: Ballots) -> Panel:
    said = ballots.annotations(compared(ballots))
    measured = ballots.form in {"likert", "edit"}
    return Panel(
        agreement=panel.alike(said),
        alpha=panel.alpha(said, DISTANCES.get(ballots.form, "nominal")),
        severity=panel.severity(ballots.annotations(ballots.value)) if measured else None,
        first_shown=_first_shown(ballots) if ballots.form == "pairwise" else None,
        accuracy=labels.accuracy(ballots) if ballots.form == "label" else None,
        seconds=panel.seconds(said),
        checks={kind: _checks(ballots, kind) for kind in KINDS},
    )


def _first_shown(ballots: Ballots) -> PositionBias:
    sides = np.array([chosen(one.answer["choice"], one.shown) for one in ballots.votes], np.int64)
    decided = sides != 0
    who = ballots.annotator[decided]
    return panel.position_bias(sides[decided] > 0, who, len(ballots.annotators))


def _checks(ballots: Ballots, kind: str) -> tuple[Floats, Estimates]:
    """(J,) how many answers could be checked, and the share that were as expected."""
    place = {id: at for at, id in enumerate(ballots.annotators)}
    votes = [one for one in ballots.checks if one.kind == kind and one.agrees is not None]
    who = np.array([place[one.annotator_id] for one in votes], np.int64)
    right = np.array([bool(one.agrees) for one in votes], np.float64)
    n = np.bincount(who, minlength=len(place)).astype(np.float64)
    hits = np.bincount(who, right, minlength=len(place)).astype(np.float64)
    return n, proportions(hits, n)


def _outliers(found: Panel) -> tuple[list[bool], list[list[str]]]:
    """Whether each can be compared with the others, and in what it stands out."""
    told = np.zeros(len(found.agreement.values), np.bool_)
    why: list[list[str]] = [[] for _ in told]
    for p_values, sentence in _tests(found):
        told |= np.isfinite(p_values)
        for at in np.flatnonzero(np.nan_to_num(p_values, nan=1.0) < ALPHA).tolist():
            why[at].append(sentence(at))
    return told.tolist(), why


def _tests(found: Panel) -> Iterator[tuple[Floats, Callable[[int], str]]]:
    """(J,) p-values of being like the others, and what is said of those who are not."""

    def compared_by(
        values: Estimates, side: Side, words: Sequence[str]
    ) -> tuple[Floats, Callable[[int], str]]:
        middle = float(np.nanmedian(values.values)) if np.isfinite(values.values).any() else 0.0

        def sentence(at: int) -> str:
            value = float(values.values[at])
            which = words[0] if value < middle else words[-1]
            return f"{which}: {value:.3g}, the median of all is {middle:.3g}"

        return outliers(values, side), sentence

    yield compared_by(found.alpha, "below", ["agrees less with the others (alpha)"])
    if found.severity is not None:
        words = ["rates higher than the others", "rates lower than the others"]
        yield compared_by(found.severity, "both", words)
    p_values = outliers(_logarithms(found.seconds), "below")
    yield p_values, lambda at: f"is faster than the others: {found.seconds.values[at]:.3g} s"
    yield compared_by(found.checks["gold"][1], "below", ["misses more gold questions"])
    yield compared_by(found.checks["repeat"][1], "below", ["contradicts itself more (repeats)"])
    bias = found.first_shown
    if bias is not None:
        share = bias.each.values
        # tested by itself: whoever has no such bias is not like the others for that
        shown = np.where(bias.p_values < ALPHA, bias.p_values, np.nan)
        yield shown, lambda at: f"chooses the output shown first in {share[at]:.0%} of votes"


def _logarithms(found: Estimates) -> Estimates:
    with np.errstate(divide="ignore", invalid="ignore"):
        return Estimates(np.log(found.values), np.log(found.low), np.log(found.high))


def _each(bias: PositionBias | None) -> Estimates | None:
    return None if bias is None else bias.each


def _part(found: Estimates | None, at: int, reason: str) -> VoteEstimateOut | None:
    return None if found is None else estimate(found[at], reason)


def _check(n: Floats, found: Estimates, at: int) -> AnsweredShareOut:
    return AnsweredShareOut(n=int(n[at]), **dict(estimate(found[at], NOT_ASKED)))
