"""Votes drawn from planted strengths: annotators differ in taste, items in whom they suit.

Each item is given to some annotators, each with two systems of chance, in an order of chance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from metrics.statistics.davidson import probabilities
from metrics.statistics.strengths import strengths
from metrics.statistics.votes import Votes
from metrics.statistics.weights import Floats
from metrics.statistics.win_rates import win_rates

MANY = 5000  # annotators, and four times as many items: their strengths and win rates are the truth


@dataclass(frozen=True, slots=True)
class Study:
    """taste, item: deviations, in log-odds, of a system's strength to an annotator, on an item."""

    strengths: tuple[float, ...]
    annotators: int = 20
    items: int = 100
    overlap: int = 3
    tie: float = 0.6
    position: float = 0.0
    taste: float = 0.0
    item: float = 0.0

    @property
    def planted(self) -> Floats:
        """(N,) of mean 0."""
        given = np.array(self.strengths, np.float64)
        return np.asarray(given - given.mean(), np.float64)

    def drawn(self, rng: np.random.Generator) -> Votes:
        """The study held once."""
        n, systems = self.items * self.overlap, len(self.strengths)
        what = np.repeat(np.arange(self.items), self.overlap)
        start = rng.integers(0, self.annotators, self.items)
        who = (np.repeat(start, self.overlap) + np.arange(n) % self.overlap) % self.annotators
        first = rng.integers(0, systems, n)
        second = (first + rng.integers(1, systems, n)) % systems
        liking = rng.normal(0, self.taste, (self.annotators, systems))[who]
        liking += rng.normal(0, self.item, (self.items, systems))[what] + self.planted
        at = np.arange(n)
        eta = liking[at, first] - liking[at, second] + self.position
        return Votes.of(
            [f"system {place}" for place in range(systems)],
            first,
            second,
            outcomes(rng, eta, self.tie),
            annotators=[f"annotator {one}" for one in who.tolist()],
            items=[f"item {one}" for one in what.tolist()],
        )

    def truth(self) -> tuple[Floats, Floats]:
        """(N,), (N,) strengths and win rates that ever more annotators and items would show. The
        strengths are nearer together than the planted ones where tastes differ."""
        large = replace(self, annotators=MANY, items=4 * MANY)
        votes = large.drawn(np.random.default_rng(99))
        return strengths(votes).values, win_rates(votes).values


def outcomes(rng: np.random.Generator, eta: Floats, tie: float) -> Floats:
    """(n,) 1, 0 or -1: a vote at each of these log-odds."""
    first, second, _ = probabilities(eta, tie)
    chance = rng.random(len(eta))
    return np.where(chance < first, 1.0, np.where(chance < first + second, -1.0, 0.0))
