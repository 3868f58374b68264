"""What takes a while to compute of a project's votes, here or in a worker."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from service.annotation.store import Project
from service.vote_analyses import consensus
from service.vote_analyses.analysis import analysis
from service.vote_analyses.consensus import LabelFit
from service.vote_analyses.schemas import VoteAnalysisOut
from service.vote_analyses.store import Rows, State


@dataclass(frozen=True, slots=True)
class Asked:
    """Of which votes: those that stand in this state.

    criterion  of likert: by which ratings
    exclude    annotators whose votes are left out
    """

    project: Project
    state: State
    criterion: str | None = None
    exclude: frozenset[str] = frozenset()

    @property
    def key(self) -> Hashable:
        """The same for the same votes, looked at in the same way."""
        return self.project.id, self.state, self.criterion, self.exclude


def vote_analysis(asked: Asked, rows: Rows) -> VoteAnalysisOut:
    """What they say of systems and people."""
    return analysis(asked.project, asked.criterion, rows, asked.exclude)


def label_fit(asked: Asked, rows: Rows) -> LabelFit:
    """The label model."""
    return consensus.label_fit(asked.project, rows.without(asked.exclude))


COMPUTED: Mapping[str, Callable[[Asked, Rows], BaseModel]] = {
    "analysis": vote_analysis,
    "label_fit": label_fit,
}
