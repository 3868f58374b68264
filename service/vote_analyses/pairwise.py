"""Pairwise votes: strengths by Davidson's model, raw and controlled, win rates, pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from metrics.core.rows import Floats
from metrics.statistics.estimates import Estimate, proportions
from metrics.statistics.ranking import holm_pairs
from metrics.statistics.settling import Settling, settling
from metrics.statistics.strengths import Strengths, strengths
from metrics.statistics.votes import Votes
from metrics.statistics.win_rates import win_rates
from metrics.text.style import differences
from service.figures.numbers import finite, interval
from service.vote_analyses.ballots import Ballots
from service.vote_analyses.findings import (
    Findings,
    corrected,
    groups,
    nothing,
    system,
    uncontrolled,
)
from service.vote_analyses.numbers import NO_VOTES, estimate, ranked
from service.vote_analyses.schemas import (
    ControlEffectOut,
    ControlledStrengthsOut,
    MoreVotesOut,
    RankedSystemOut,
    VotePairOut,
)

POSITION = "shown_first"


def findings(ballots: Ballots) -> Findings:
    """What pairwise votes say of systems."""
    if not ballots.votes:
        return nothing(ballots, "log_odds")
    votes = votes_of(ballots)
    found, rates = strengths(votes), win_rates(votes)
    tied = proportions(rates.ties.astype(np.float64), rates.votes.astype(np.float64))
    each = _ranked(found)
    return Findings(
        scale="log_odds",
        systems=[
            system(
                one,
                int(rates.votes[at]),
                win_rate=estimate(Estimate(*_row(at, rates.values, rates.low, rates.high)), ""),
                measures={"tied": estimate(tied[at], NO_VOTES)},
            )
            for at, one in enumerate(each)
        ],
        components=groups(votes.systems, found.graph.component),
        controlled=_controlled(votes, _controls(ballots)),
        pairs=_pairs(votes, found),
        more_votes=[_more(votes.systems, one) for one in settling(found)],
        warnings=found.warnings,
    )


def votes_of(ballots: Ballots) -> Votes:
    """The votes, the output that was shown first as the first."""
    first, second, outcome = [], [], []
    for at, vote in enumerate(ballots.votes):
        shown = [ballots.place(ballots.item_of(at).systems[place]) for place in vote.shown]
        first.append(shown[0])
        second.append(shown[1])
        outcome.append(chosen(vote.answer["choice"], vote.shown))
    return Votes.of(
        ballots.systems,
        first,
        second,
        outcome,
        annotators=[ballots.annotators[at] for at in ballots.annotator.tolist()],
        items=[str(at) for at in ballots.sample.tolist()],
    )


def chosen(choice: str, shown: Sequence[int]) -> int:
    """1 for the output that was shown first, -1 for the other, 0 for a tie."""
    if choice == "tie":
        return 0
    return 1 if "ab".index(choice) == shown[0] else -1


def _controls(ballots: Ballots) -> dict[str, Floats]:
    """(n,) each: being shown first, and how much more of it the first output has. What is the same
    in all pairs is none."""
    style = differences((one.outputs[0], one.outputs[1]) for one in ballots.items)  # of items
    sign = np.array([1.0 if one.shown[0] == 0 else -1.0 for one in ballots.votes])
    found = {POSITION: np.ones(len(ballots.votes))}
    return found | {
        name: sign * values[ballots.item] for name, values in style.items() if values.any()
    }


def _controlled(votes: Votes, controls: Mapping[str, Floats]) -> ControlledStrengthsOut:
    if len(votes) <= len(controls) + len(votes.systems):
        return uncontrolled("fewer votes than there are systems and controls")
    found = strengths(votes, controls)
    effects = [
        ControlEffectOut(
            control=name,
            effect=one.value,
            interval=interval(one.low, one.high),
            p_value=finite(one.p_value),
        )
        for name, one in found.controls.items()
    ]
    return ControlledStrengthsOut(controls=effects, systems=_ranked(found), reason=None)


def _ranked(found: Strengths) -> list[RankedSystemOut]:
    return ranked(found.systems, found.values, found.low, found.high, found.ranks)


def _pairs(votes: Votes, found: Strengths) -> list[VotePairOut]:
    """All pairs of systems, with votes or without."""
    p_values = holm_pairs(found.differences.p_values)
    wins, ties, apart = votes.wins, votes.ties, found.differences
    pairs = []
    for a, b in combinations(range(len(votes.systems)), 2):
        between = (votes.first == a) & (votes.second == b) | (votes.first == b) & (
            votes.second == a
        )
        pairs.append(
            VotePairOut(
                first=votes.systems[a],
                second=votes.systems[b],
                votes=int(between.sum()),
                items=len(np.unique(votes.items.of[between])),
                wins=int(wins[a, b]),
                ties=int(ties[a, b]),
                losses=int(wins[b, a]),
                difference=finite(apart.values[a, b]),
                interval=interval(apart.low[a, b], apart.high[a, b]),
                p_value=corrected(p_values, a, b),
            )
        )
    return pairs


def _more(systems: Sequence[str], one: Settling) -> MoreVotesOut:
    return MoreVotesOut(
        better=systems[one.better],
        worse=systems[one.worse],
        difference=one.difference,
        p_value=finite(one.p_value),
        votes=one.votes,
    )


def _row(at: int, *columns: Floats) -> list[float]:
    return [float(one[at]) for one in columns]
