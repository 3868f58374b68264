"""The graph of comparisons: which systems votes can put in one order.

    wins, ties  (N, N)  as `Votes.wins` and `Votes.ties`

Two systems that no chain of votes connects cannot be compared, whatever is fitted: they are in
different *components*. Within a component a maximum-likelihood strength is finite where a system
has both won (or tied) and lost (or tied) along chains, that is, within a strongly connected part
of the graph whose arrows go from the winner to the loser; a tie is an arrow either way. Between
such parts only the prior keeps strengths finite.

Source: Ford (1957), "Solution of a ranking problem from binary comparisons"; Hunter (2004), "MM
algorithms for generalized Bradley-Terry models", assumption 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.weights import Floats

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ComparisonGraph:
    """How N systems hang together.

    component  (N,)   from 0, the larger ones first
    strong     (N,)   the strongly connected part that each system is in
    unbeaten   (N,)   nobody outside its part has beaten it or tied, and it has beaten somebody
    winless    (N,)   it has beaten or tied nobody outside its part, and somebody has beaten it
    """

    component: Ints
    strong: Ints
    unbeaten: NDArray[np.bool_]
    winless: NDArray[np.bool_]

    @property
    def connected(self) -> bool:
        """Whether all systems can be put in one order."""
        return not (self.component > 0).any()

    @property
    def held(self) -> NDArray[np.bool_]:
        """(N,) systems whose component falls into several strong parts: their strengths are finite
        by the prior alone."""
        parts = np.unique(np.c_[self.component, self.strong], axis=0)[:, 0]
        return np.asarray(np.bincount(parts, minlength=1)[self.component] > 1, np.bool_)

    def together(self) -> NDArray[np.bool_]:
        """(N, N) whether two systems are in one component."""
        return np.asarray(self.component[:, None] == self.component[None, :], np.bool_)


def comparison_graph(wins: Floats, ties: Floats) -> ComparisonGraph:
    """Components and strong parts of the votes' graph."""
    arrows = (wins + ties) > 0
    strong = _parts(arrows, "strong")
    out = arrows & (strong[:, None] != strong[None, :])  # from one part to another
    ahead = _any_of_part(strong, out.any(1))
    behind = _any_of_part(strong, out.any(0))
    return ComparisonGraph(_parts(arrows, "weak"), strong, ahead & ~behind, behind & ~ahead)


def _parts(arrows: NDArray[np.bool_], connection: str) -> Ints:
    """(N,) labels, the largest part 0; of equal ones that which comes first."""
    from scipy.sparse.csgraph import connected_components

    found = connected_components(arrows, directed=True, connection=connection)[1]
    _, first, label, size = np.unique(
        found, return_index=True, return_inverse=True, return_counts=True
    )
    place = np.empty(len(size), np.int64)
    place[np.lexsort((first, -size))] = np.arange(len(size))
    return place[label]


def _any_of_part(strong: Ints, those: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N,) whether any system of a system's part is one of those."""
    return np.asarray(np.isin(strong, strong[those]), np.bool_)
