"""Best and worst of several outputs: strengths of the MaxDiff model, and counts."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np

from metrics.statistics.best_worst import Choices, counts, strengths
from metrics.statistics.ranking import Ranks, ranks_apart
from service.annotation.answers import LETTERS
from service.figures.numbers import finite
from service.vote_analyses.ballots import Ballots
from service.vote_analyses.findings import Findings, groups, nothing, system, uncontrolled
from service.vote_analyses.numbers import NO_VOTES, estimate, ranked
from service.vote_analyses.schemas import VotePairOut

LEVEL = 0.95


def findings(ballots: Ballots) -> Findings:
    """What votes on tuples say of systems: on those of the commonest size, if they have several."""
    if not ballots.votes:
        return nothing(ballots, "logits")
    choices = choices_of(ballots)
    model, count = strengths(choices), counts(choices)
    found = model.strengths
    parts = groups(ballots.systems, model.part)
    order: Ranks | None = None
    if len(parts) == 1:
        order = ranks_apart(found.values, found.low, found.high, LEVEL)
    shown = np.bincount(choices.shown.ravel(), minlength=choices.systems)
    each = ranked(ballots.systems, found.values, found.low, found.high, order)
    said = [] if model.converged else ["the model's strengths have not settled: take more votes"]
    others = len(ballots.votes) - len(choices.shown)
    if others:
        said.append(f"{others} votes on tuples of another size are left out of strengths")
    if len(np.unique(choices.annotator)) == 1:
        said.append("a single annotator: nothing says how far others might differ")
    return Findings(
        scale="logits",
        systems=[
            system(
                one,
                int(shown[at]),
                measures={"best_less_worst": estimate(count[at], NO_VOTES)},
            )
            for at, one in enumerate(each)
        ],
        components=sorted(parts, key=len, reverse=True),
        controlled=uncontrolled("controls are of pairwise votes, ratings and edits"),
        pairs=_pairs(ballots, choices, found.values),
        warnings=said,
    )


def choices_of(ballots: Ballots) -> Choices:
    """The votes on tuples of the commonest size, of the project's systems."""
    sizes = Counter(len(vote.shown) for vote in ballots.votes)
    size = max(sizes, key=lambda one: (sizes[one], one))
    rows = [at for at, vote in enumerate(ballots.votes) if len(vote.shown) == size]
    shown = [[ballots.place(one) for one in ballots.item_of(at).systems] for at in rows]
    answers = [ballots.votes[at].answer for at in rows]
    return Choices(
        np.array(shown, np.int64),
        np.array([LETTERS.index(one["best"]) for one in answers], np.int64),
        np.array([LETTERS.index(one["worst"]) for one in answers], np.int64),
        ballots.annotator[rows],
        len(ballots.systems),
    )


def _pairs(ballots: Ballots, choices: Choices, strength: np.ndarray) -> list[VotePairOut]:
    there = choices.spread(np.ones(choices.shown.shape))
    together = there.T @ there
    return [
        VotePairOut(
            first=ballots.systems[a],
            second=ballots.systems[b],
            votes=int(together[a, b]),
            items=_shared(ballots, a, b),
            wins=None,
            ties=None,
            losses=None,
            difference=finite(strength[a] - strength[b]),
            interval=None,
            p_value=None,
        )
        for a, b in combinations(range(len(ballots.systems)), 2)
    ]


def _shared(ballots: Ballots, a: int, b: int) -> int:
    both = {ballots.systems[a], ballots.systems[b]}
    return sum(both <= {*one.systems} for one in ballots.items)
