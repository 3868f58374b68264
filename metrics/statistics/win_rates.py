"""Win rates: the share of its votes that a system won, a tie counting half.

A win rate is of the opponents, annotators and items at hand: against strong opponents it is lower.
Where pairs were asked unequally often, strengths say more (`strengths`).

The interval is Wilson's, for as many votes as would vary as much by themselves: the error is that
of other annotators and other items (`crossed`), and no less than independent votes would have. A
system that won all of its votes has that of as many votes as it has annotators or items, whichever
are fewer.

Source: those of `proportions` and `crossed`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.clusters import Clusters
from metrics.statistics.crossed import sandwich
from metrics.statistics.proportions import PRIOR, score_interval
from metrics.statistics.votes import Votes
from metrics.statistics.weights import Floats

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class WinRates:
    """values, low, high (N,) within 0..1, NaN for a system without votes; votes (N,) of each
    system, wins + ties + losses; bounds are NaN where a single cluster allows no interval."""

    values: Floats
    low: Floats
    high: Floats
    wins: Ints
    ties: Ints
    votes: Ints
    warnings: tuple[str, ...]


def win_rates(votes: Votes, *, level: float = 0.95) -> WinRates:
    """The win rate of each system, with an interval over annotators and items."""
    from scipy.sparse import csr_array
    from scipy.special import ndtri, stdtrit

    n, systems = len(votes), len(votes.systems)
    rows, places = np.r_[np.arange(n), np.arange(n)], np.r_[votes.first, votes.second]
    shares = np.r_[votes.share, 1.0 - votes.share]  # what each system has of each vote
    count = np.bincount(places, minlength=systems)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.bincount(places, shares, systems) / count
        bread = np.diag(np.where(count > 0, 1.0 / count, 0.0))
    scores = csr_array((shares - values[places], (rows, places)), shape=(n, systems))
    own = np.bincount(places, (shares - values[places]) ** 2, systems)
    errors = sandwich(scores, bread, votes.annotators, votes.items, np.diag(own) @ bread**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = (count * values + PRIOR / 2) / (count + PRIOR)
        unseen = PRIOR / 2 * (middle**2 + (1 - middle) ** 2) / count**2
        units = middle * (1 - middle) / (errors.variances() + unseen)
        alike = own == 0.0
        units = np.where(alike, _fewest(votes, places), units)
        quantile = np.where(alike, ndtri(0.5 + level / 2), stdtrit(errors.freedom, 0.5 + level / 2))
        low, high = score_interval(values, units, quantile)
    return WinRates(
        values,
        low,
        high,
        np.bincount(places[shares == 1.0], minlength=systems),
        np.bincount(places[shares == 0.5], minlength=systems),
        count,
        errors.warnings,
    )


def _fewest(votes: Votes, places: Ints) -> Ints:
    """(N,) how many annotators, or items, whichever are fewer, voted on each system; of a kind of
    which there is one alone, none are counted."""
    systems = len(votes.systems)
    kinds = [one for one in (votes.annotators, votes.items) if len(one.names) > 1]
    fewest = np.full(systems, len(votes) if kinds else 0)
    for one in kinds:
        fewest = np.minimum(fewest, _distinct(one, places, systems))
    return fewest


def _distinct(found: Clusters, places: Ints, systems: int) -> Ints:
    known = np.unique(np.r_[found.of, found.of] * systems + places)
    return np.bincount(known % systems, minlength=systems)
