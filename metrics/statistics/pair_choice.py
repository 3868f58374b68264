"""Which pairs to ask about next: those whose order is least known, as far as a vote can tell.

    wins, ties  (N, N)  votes so far, as `Votes.wins` and `Votes.ties`

Strengths are fitted and their covariance is the model's. What a pair is worth is

    2 · P(the order is the other way round) · ½ log(1 + v · w)

with v the variance of its difference and w Fisher's information in a vote on it: the doubt, 1 of
equals and near 0 of systems far apart, times what a vote tells of the difference, in nats. So
neither a pair that is settled is asked, nor one that is known to be close ever more. A pair that no
chain of votes connects comes first. After each choice the covariance is what the vote would leave,
whatever it says, so that a batch spreads over pairs.

Source: MacKay (1992), "Information-based objective functions for active data selection"; the
weighting by doubt is this project's, held by simulation to settle orders with fewer votes than
asking all pairs alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.comparison_graph import comparison_graph
from metrics.statistics.crossed import between
from metrics.statistics.davidson import DEVIATION, Fit, fit, information
from metrics.statistics.votes import from_counts
from metrics.statistics.weights import Floats

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Candidates:
    """What may be asked: an item's outputs of two systems.

    first, second  (m,) places of the systems
    asked          (m,) how many votes there are already on just this
    """

    first: Ints
    second: Ints
    asked: Ints


@dataclass(frozen=True, slots=True)
class Standing:
    """What votes say of N systems: their fit, and which component each is in, (N,)."""

    component: Ints
    found: Fit


def standing(wins: Floats, ties: Floats) -> Standing:
    """The standing after these votes."""
    votes = from_counts([str(at) for at in range(len(wins))], wins, ties)
    graph = comparison_graph(wins, ties)
    return Standing(graph.component, fit(votes, graph))


def one_after_another(after: Standing, how_many: int) -> list[tuple[int, int]]:
    """The pairs of systems to ask about next, before any of them is answered: a pair may come
    again and again."""
    first, second = np.triu_indices(len(after.component), 1)
    candidates = Candidates(
        np.tile(first, how_many),
        np.tile(second, how_many),
        np.zeros(how_many * len(first), np.int64),
    )
    chosen = _chosen(after, candidates, how_many) % len(first)
    return [(int(first[at]), int(second[at])) for at in chosen]


def by_worth(after: Standing) -> list[tuple[int, int]]:
    """Each two systems, those first of whom a vote tells most now."""
    first, second = np.triu_indices(len(after.component), 1)
    value = _worth(after.found, _covariance(after.found), after.component)[first, second]
    order = np.argsort(-value, kind="stable")
    return [(int(first[at]), int(second[at])) for at in order]


def worth(wins: Floats, ties: Floats) -> Floats:
    """(N, N) what a vote on each pair is worth, in nats; infinite where it would connect systems
    that nothing connects, NaN on the diagonal."""
    after = standing(wins, ties)
    return _worth(after.found, _covariance(after.found), after.component)


def choose(wins: Floats, ties: Floats, candidates: Candidates, how_many: int) -> Ints:
    """(k,) places in `candidates` of what to ask next, in this order; k is `how_many` or, of fewer
    candidates, all of them. Of one pair's candidates the least asked come first."""
    return _chosen(standing(wins, ties), candidates, how_many)


def _chosen(after: Standing, candidates: Candidates, how_many: int) -> Ints:
    component, found = after.component, after.found
    n = len(component)
    covariance = _covariance(found)
    queues = _queues(candidates, n)
    gain = _gain(found)
    chosen: list[int] = []
    while queues and len(chosen) < how_many:
        value = _worth(found, covariance, component)
        open_pairs = np.array(sorted(queues))
        pair = int(open_pairs[np.argmax(value.ravel()[open_pairs])])
        a, b = divmod(pair, n)
        chosen.append(queues[pair].pop())
        if not queues[pair]:
            del queues[pair]
        component = np.where(component == component[b], component[a], component)
        along = covariance[:, a] - covariance[:, b]
        seen = gain[a, b] / (1 + gain[a, b] * (along[a] - along[b]))
        covariance = covariance - seen * np.outer(along, along)
    return np.array(chosen, np.int64)


def _covariance(found: Fit) -> Floats:
    """(N, N) of the strengths, the prior's of systems without votes."""
    covariance = found.bread[: found.systems, : found.systems].copy()
    unseen = np.diagonal(covariance) <= 0.0
    covariance[unseen, unseen] = DEVIATION**2
    return covariance


def _gain(found: Fit) -> Floats:
    """(N, N) information in a vote on each pair."""
    gaps = found.strengths[:, None] - found.strengths[None, :]
    return information(gaps, found.tie)


def _worth(found: Fit, covariance: Floats, component: Ints) -> Floats:
    from scipy.special import ndtr

    gaps = np.abs(found.strengths[:, None] - found.strengths[None, :])
    spread = np.maximum(between(covariance), 0.0)
    np.fill_diagonal(spread, np.nan)
    doubt = 2 * ndtr(-gaps / np.sqrt(spread))
    value = doubt * np.log1p(spread * _gain(found)) / 2
    apart = component[:, None] != component[None, :]
    return np.asarray(np.where(apart, np.inf, value), np.float64)


def _queues(candidates: Candidates, n: int) -> dict[int, list[int]]:
    """The candidates of each pair, by the pair's number, the least asked last."""
    low = np.minimum(candidates.first, candidates.second)
    high = np.maximum(candidates.first, candidates.second)
    order = np.lexsort((np.arange(len(low)), candidates.asked))[::-1]
    queues: dict[int, list[int]] = {}
    for at, pair in zip(order.tolist(), (low * n + high)[order].tolist(), strict=True):
        queues.setdefault(pair, []).append(at)
    return queues
