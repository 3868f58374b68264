"""Labels: of each system the share of its outputs that are of each label."""

from __future__ import annotations

import numpy as np

from metrics.core.rows import Floats
from metrics.statistics.annotations import Annotations
from metrics.statistics.labels import dawid_skene, raw_shares, shares
from service.vote_analyses.ballots import Ballots
from service.vote_analyses.findings import Findings, nothing, system, uncontrolled
from service.vote_analyses.numbers import NO_VOTES, estimate
from service.vote_analyses.schemas import LabelShareOut, RankedSystemOut

NO_ORDER = "labels have no order: see the shares"


def findings(ballots: Ballots) -> Findings:
    """What labels say of systems: shares by the label model, fitted to each by itself."""
    if not ballots.votes:
        return nothing(ballots, "none")
    said, of = ballots.annotations(ballots.value), ballots.system()
    votes = np.bincount(of, minlength=len(ballots.systems))
    return Findings(
        scale="none",
        systems=[
            system(
                RankedSystemOut(
                    system=name,
                    strength=None,
                    interval=None,
                    rank=None,
                    rank_interval=None,
                    reason=NO_ORDER if votes[at] else NO_VOTES,
                ),
                int(votes[at]),
                labels=_shares(ballots.labels, said.take(of == at)) if votes[at] else [],
            )
            for at, name in enumerate(ballots.systems)
        ],
        components=[[*ballots.systems]],
        controlled=uncontrolled("labels have no strengths"),
    )


def accuracy(ballots: Ballots) -> Floats:
    """(J,) how often each annotator says the true label, by the model of all systems' outputs; NaN
    of those without votes, and where no output has two people's."""
    said = ballots.annotations(ballots.value)
    several = np.bincount(said.item, minlength=1).max() > 1
    if not len(said.item) or not several:
        return np.full(said.annotators, np.nan)
    model = dawid_skene(said, len(ballots.labels))
    votes = np.bincount(said.annotator, minlength=said.annotators)
    return np.where(votes > 0, model.accuracy, np.nan)


def _shares(labels: list[str], said: Annotations) -> list[LabelShareOut]:
    by_model, raw = shares(said, len(labels)), raw_shares(said, len(labels))
    return [
        LabelShareOut(
            label=label,
            share=estimate(by_model[at], NO_VOTES),
            raw=estimate(raw[at], NO_VOTES),
        )
        for at, label in enumerate(labels)
    ]
