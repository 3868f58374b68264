"""Strengths of systems by pairwise votes: Davidson's fit, what it leaves open, and ranks.

    strength   log-odds, of mean 0: of two systems' decided votes, the odds are exp(difference)
    elo        the same as chess players know it: CENTRE + 400 / ln 10 · strength; 400 more are odds
               of ten to one

Intervals are of other annotators and other items (`crossed`), by Student's t; p-values of pairs
likewise, adjusted by Holm for rank intervals. Controls (`metrics.text.style`, or the place itself)
make a second fit, to be shown beside the first: the strengths that systems would have were their
outputs alike in length and style.

    raw = strengths(votes)
    controlled = strengths(votes, {"position": np.ones(len(votes)), "log_length": log_lengths})

Where no chain of votes connects two systems, nothing is said of their difference, and nobody has a
rank. Where only the prior holds a system (it won all its votes), its interval is that of the model.

Source: those of `davidson` and `crossed`; Chiang et al. (2024), "Chatbot Arena", for controls and
ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.comparison_graph import ComparisonGraph, comparison_graph
from metrics.statistics.crossed import Sandwich, sandwich
from metrics.statistics.davidson import PENALTY, Fit, fit
from metrics.statistics.many import two_sided
from metrics.statistics.ranking import Ranks, holm_pairs, ranks
from metrics.statistics.votes import Votes
from metrics.statistics.weights import Floats

CENTRE = 1000.0
ELO = 400.0 / np.log(10.0)  # points of a unit of log-odds


@dataclass(frozen=True, slots=True)
class Effect:
    """One number with its interval at the level asked for; NaN where nothing can be said.

    p_value  two-sided, of an effect of none; NaN where that is no question
    """

    value: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True, slots=True)
class Differences:
    """(N, N) each: the row's strength less the column's, NaN where no votes connect the two; its
    interval, and the two-sided p-value of equal strengths, not adjusted, NaN on the diagonal."""

    values: Floats
    low: Floats
    high: Floats
    p_values: Floats


@dataclass(frozen=True, slots=True)
class Strengths:
    """What votes say of N systems.

    values       (N,) strengths; NaN for a system without a vote
    low, high    (N,) their intervals; NaN where a single cluster allows none
    ranks        with rank intervals and adjusted p-values; None where not all are connected
    controls     effects on the log-odds that the first is preferred, per unit of each control
    tie          of two equal systems, the share of votes that are ties
    warnings     sentences for the reader
    fit, errors  what all this is made of
    """

    systems: tuple[str, ...]
    values: Floats
    low: Floats
    high: Floats
    differences: Differences
    ranks: Ranks | None
    controls: Mapping[str, Effect]
    tie: Effect
    graph: ComparisonGraph
    warnings: tuple[str, ...]
    fit: Fit
    errors: Sandwich


def elo(strength: Floats, centre: float = CENTRE) -> Floats:
    """Strengths on the scale of chess; `centre` is that of an average system of these."""
    return np.asarray(centre + ELO * strength, np.float64)


def strengths(
    votes: Votes,
    controls: Mapping[str, Floats] | None = None,
    *,
    level: float = 0.95,
    alpha: float = 0.05,
    penalty: float = PENALTY,
    correct: Callable[[Floats], Floats] = holm_pairs,
) -> Strengths:
    """Fits the strengths, and says how far others' votes on other items might move them.

    controls  (n,) each: what else may make the first output preferred, the first's less the
              second's. Ones, under any name, are the effect of being shown first
    level     of intervals; alpha: of rank intervals
    penalty   the prior's precision (`davidson.fit`)
    correct   of the pairs' p-values, for ranks (`ranking.ranks`)

    Raises ValueError for no votes at all, and for controls that are not n finite numbers.
    """
    from scipy.special import stdtrit

    named = {} if controls is None else controls
    if not len(votes):
        raise ValueError("no votes: nothing can be fitted")
    for name, values in named.items():
        if np.shape(values) != (len(votes),) or not np.isfinite(values).all():
            raise ValueError(f"control {name!r} must be {len(votes)} finite numbers, one a vote")
    graph = comparison_graph(votes.wins, votes.ties)
    found = fit(votes, graph, np.column_stack([*named.values()]) if named else None, penalty)
    errors = sandwich(found.scores, found.bread, votes.annotators, votes.items, found.bread)
    n, t = len(votes.systems), float(stdtrit(errors.freedom, 0.5 + level / 2))
    error = np.sqrt(errors.variances())
    seen = np.bincount(np.r_[votes.first, votes.second], minlength=n) > 0
    strength = np.where(seen, found.strengths, np.nan)
    apart = _differences(strength, errors, graph, t, len(votes))
    effects = {
        name: _effect(found.coefficients[at], error[at], t, errors.freedom)
        for at, name in enumerate(named, n)
    }
    return Strengths(
        votes.systems,
        strength,
        strength - t * error[:n],
        strength + t * error[:n],
        apart,
        _ranks(strength, apart, graph, alpha, correct),
        effects,
        _tie_share(found, error[-1], t),
        graph,
        (*_of_graph(graph, votes.systems, seen), *errors.warnings),
        found,
        errors,
    )


def _differences(
    strength: Floats, errors: Sandwich, graph: ComparisonGraph, t: float, votes: int
) -> Differences:
    n = len(strength)
    together = graph.together()
    error = np.where(together, np.sqrt(errors.variances_between()[:n, :n]), np.nan)
    values = np.where(together, strength[:, None] - strength[None, :], np.nan)
    p_values = two_sided(values, error, votes, np.asarray(errors.freedom))
    np.fill_diagonal(p_values, np.nan)
    return Differences(values, values - t * error, values + t * error, p_values)


def _ranks(
    strength: Floats,
    apart: Differences,
    graph: ComparisonGraph,
    alpha: float,
    correct: Callable[[Floats], Floats],
) -> Ranks | None:
    if not graph.connected:
        return None
    return ranks(strength, apart.p_values, differences=apart.values, alpha=alpha, correct=correct)


def _effect(value: float, error: float, t: float, freedom: float) -> Effect:
    from scipy.special import stdtr

    p_value = 2 * float(stdtr(freedom, -abs(value) / error))
    return Effect(float(value), float(value - t * error), float(value + t * error), p_value)


def _tie_share(found: Fit, error: float, t: float) -> Effect:
    """From ν to the share ν / (2 + ν) of two equals' votes."""
    if not found.has_ties:
        return Effect(0.0, np.nan, np.nan, np.nan)
    log_tie = float(found.coefficients[-1])
    value, low, high = (1 / (1 + 2 * np.exp(-log_tie - by)) for by in (0.0, -t * error, t * error))
    return Effect(float(value), float(low), float(high), np.nan)


def _of_graph(graph: ComparisonGraph, systems: Sequence[str], seen: NDArray[np.bool_]) -> list[str]:
    """What the graph of comparisons keeps from being known, as sentences."""
    said = [f"no votes on {_listed(systems, ~seen)}"] if not seen.all() else []
    parts = len(set(graph.component[seen].tolist()))
    if parts > 1:
        said.append(
            f"votes fall into {parts} groups of systems that no vote connects: strengths compare "
            "within a group alone, and there are no ranks; ask for votes between the groups"
        )
    for those, what in ((graph.unbeaten, "lost"), (graph.winless, "won")):
        if those.any():
            said.append(
                f"{_listed(systems, those)} never {what} or tied against the others: how far away "
                "is held by the prior alone"
            )
    return said


def _listed(systems: Sequence[str], those: NDArray[np.bool_], most: int = 5) -> str:
    names = [systems[at] for at in np.flatnonzero(those).tolist()]
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
