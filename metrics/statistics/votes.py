"""Votes: which of two outputs a person liked better, or neither.

    first, second  (n,)  int64, places of the two systems in `systems`, in the order shown
    outcome        (n,)  int8: 1 the first was preferred, -1 the second, 0 a tie
    annotators     (n,)  clusters: who voted
    items          (n,)  clusters: what was asked (a prompt)

A win counts 1, a tie half, a loss 0. Where nobody is named each vote is an annotator's, and an
item's, own. A vote said to be cast k times stands there k times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics.statistics.clusters import Clusters, clusters
from metrics.statistics.weights import Floats

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Votes:
    """Pairwise votes on N systems; see above. Made by `Votes.of`."""

    systems: tuple[str, ...]
    first: Ints
    second: Ints
    outcome: NDArray[np.int8]
    annotators: Clusters
    items: Clusters

    @classmethod
    def of(
        cls,
        systems: Sequence[str],
        first: ArrayLike,
        second: ArrayLike,
        outcome: ArrayLike,
        *,
        annotators: Sequence[str] | None = None,
        items: Sequence[str] | None = None,
        count: ArrayLike | None = None,
    ) -> Votes:
        """Votes from arrays of one length; systems that nobody voted on may be among `systems`.

        count  (n,) how many such votes each row stands for; 1 unless told

        Raises ValueError for arrays of several lengths, places outside `systems`, a system voted
        on against itself, outcomes other than 1, 0 and -1, and counts below 0 or not whole.
        """
        columns = [np.asarray(one) for one in (first, second, outcome)]
        n = len(columns[0])
        times = np.ones(n, np.int64) if count is None else np.asarray(count)
        named = [one for one in (annotators, items) if one is not None]
        if any(len(one) != n for one in (*columns, times, *named)):
            raise ValueError("first, second, outcome, annotators, items and count differ in length")
        _check(len(systems), columns, times)
        rows = np.repeat(np.arange(n), times.astype(np.int64))
        return cls(
            tuple(systems),
            columns[0][rows].astype(np.int64),
            columns[1][rows].astype(np.int64),
            columns[2][rows].astype(np.int8),
            _clusters(annotators, rows),
            _clusters(items, rows),
        )

    def __len__(self) -> int:
        return len(self.first)

    @property
    def share(self) -> Floats:
        """(n,) what the first system has of each vote: 1, 1/2 or 0."""
        return np.asarray((1.0 + self.outcome) / 2.0, np.float64)

    @property
    def wins(self) -> Floats:
        """(N, N) how often the row's system was preferred to the column's."""
        ahead, behind = self.outcome > 0, self.outcome < 0
        return self._table(
            np.r_[self.first[ahead], self.second[behind]],
            np.r_[self.second[ahead], self.first[behind]],
        )

    @property
    def ties(self) -> Floats:
        """(N, N) how often two systems tied: symmetric, each tie in both halves."""
        tied = self.outcome == 0
        half = self._table(self.first[tied], self.second[tied])
        return half + half.T

    def _table(self, rows: Ints, columns: Ints) -> Floats:
        n = len(self.systems)
        counts = np.bincount(rows * n + columns, minlength=n * n)
        return counts.reshape(n, n).astype(np.float64)


def from_counts(systems: Sequence[str], wins: Floats, ties: Floats) -> Votes:
    """Votes of nobody in particular, from (N, N) tables as `Votes.wins` and `Votes.ties` are."""
    won, lost = np.nonzero(wins)
    left, right = np.nonzero(np.triu(ties, 1))
    return Votes.of(
        systems,
        np.r_[won, left],
        np.r_[lost, right],
        np.r_[np.ones(len(won), np.int8), np.zeros(len(left), np.int8)],
        count=np.r_[wins[won, lost], ties[left, right]],
    )


def _check(
    systems: int,
    columns: Sequence[NDArray[np.generic]],
    times: NDArray[np.generic],
) -> None:
    first, second, outcome = columns
    if not np.isin(np.r_[first, second], np.arange(systems)).all():
        raise ValueError(f"first and second must be places from 0 to {systems - 1}")
    if (first == second).any():
        raise ValueError("a system cannot be voted on against itself")
    if not np.isin(outcome, (-1, 0, 1)).all():
        raise ValueError("an outcome is 1 (the first preferred), 0 (a tie) or -1 (the second)")
    if not np.array_equal(times, np.abs(np.rint(times.astype(np.float64)))):
        raise ValueError("counts must be whole numbers from 0")


def _clusters(names: Sequence[str] | None, rows: Ints) -> Clusters:
    if names is None:
        return clusters([str(at) for at in range(len(rows))])
    return clusters([names[at] for at in rows.tolist()])
