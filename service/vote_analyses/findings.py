"""Findings: what an analysis of a form says of systems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from metrics.core.rows import Floats
from metrics.statistics.annotations import Ints
from service.figures.numbers import finite
from service.vote_analyses.ballots import Ballots
from service.vote_analyses.numbers import ranked
from service.vote_analyses.schemas import (
    ControlledStrengthsOut,
    LabelShareOut,
    MoreVotesOut,
    RankedSystemOut,
    Scale,
    SystemAnalysisOut,
    VoteEstimateOut,
    VotePairOut,
)


@dataclass(frozen=True, slots=True)
class Findings:
    """See `VoteAnalysisOut`."""

    scale: Scale
    systems: list[SystemAnalysisOut]
    components: list[list[str]]
    controlled: ControlledStrengthsOut
    pairs: list[VotePairOut] = field(default_factory=list)
    more_votes: list[MoreVotesOut] = field(default_factory=list)
    warnings: Sequence[str] = ()


def nothing(ballots: Ballots, scale: Scale) -> Findings:
    """Of no votes at all."""
    unknown = np.full(len(ballots.systems), np.nan)
    systems = [system(one, 0) for one in ranked(ballots.systems, unknown, unknown, unknown, None)]
    alone = [[one] for one in ballots.systems]
    return Findings(scale, systems, alone, uncontrolled("no votes yet"), warnings=["no votes yet"])


def system(
    found: RankedSystemOut,
    votes: int,
    *,
    win_rate: VoteEstimateOut | None = None,
    measures: dict[str, VoteEstimateOut] | None = None,
    labels: Sequence[LabelShareOut] = (),
) -> SystemAnalysisOut:
    """A system with all that is known of it."""
    return SystemAnalysisOut(
        **dict(found),
        votes=votes,
        win_rate=None if win_rate is None else win_rate.value,
        win_rate_interval=None if win_rate is None else win_rate.interval,
        measures=measures or {},
        labels=list(labels),
    )


def uncontrolled(reason: str) -> ControlledStrengthsOut:
    """No controlled strengths, and why."""
    return ControlledStrengthsOut(controls=[], systems=[], reason=reason)


def groups(systems: Sequence[str], component: Ints) -> list[list[str]]:
    """The systems of each component, the first component first."""
    return [
        [systems[at] for at in np.flatnonzero(component == one).tolist()]
        for one in np.unique(component).tolist()
    ]


def corrected(p_values: Floats, first: int, second: int) -> float | None:
    """A pair's p-value; null where nothing was tested."""
    return finite(p_values[first, second])
