"""Results of several systems laid side by side: which units each has, and which a pair shares."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from metrics.core.clustered import untestable
from metrics.core.metric import BoundMetric, Score
from metrics.core.result import Result, ScoreValue
from metrics.core.rows import Floats, Ints
from metrics.core.settling import Mask
from metrics.core.signature import unlike

NO_SHARED_VALUE = "no value over the units that both have"


@dataclass(frozen=True, slots=True)
class Side:
    """One system: its result, and the ids (n,) of the units that the result's rows are of."""

    result: Result
    ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Grouping:
    """Samples that belong together: the field they do by, and each id's cluster."""

    field: str
    names: Mapping[str, str]


@dataclass(frozen=True)
class Aligned:
    """N systems over the units that any of them has, in the order in which they come first.

    ids     (n,)
    places  (N, n) where a unit stands in the system's own rows; -1: nowhere
    valued  (N, n) whether the system has a value on it
    chosen  (n,) whether it is in the slice that is compared; `sliced`: there is one
    unvoted  (N, n) whether the system has none by design: see `Flag`; None: nowhere
    """

    ids: Sequence[str]
    places: Ints
    valued: Mask
    chosen: Mask
    sliced: bool
    unvoted: Mask | None = None

    @cached_property
    def both(self) -> Ints:
        """(N, N) on how many units either of two systems has a value."""
        there = (self.valued & self.chosen).astype(np.float32)  # exact up to 16 million units
        return (there @ there.T).astype(np.int64)

    def only(self, a: int, b: int) -> int:
        """On how many units a has a value and b has none."""
        return int(self.both[a, a] - self.both[a, b])

    @cached_property
    def spared(self) -> Ints:
        """(N, N) on how many units the first of two systems has a value, and the second has none
        by design."""
        if self.unvoted is None:
            return np.zeros_like(self.both)
        there = (self.valued & self.chosen).astype(np.float32)
        return (there @ self.unvoted.T.astype(np.float32)).astype(np.int64)

    def unanswered(self, a: int, b: int) -> int:
        """On how many units a has a value, and b has none that it could have."""
        return self.only(a, b) - int(self.spared[a, b])

    def shared(self, a: int, b: int, set_bound: bool) -> Mask:
        """(n,) the units to compare two systems over. Where values depend on the whole set, units
        that count in neither belong to it, too."""
        if set_bound:
            return np.asarray((self.places[a] >= 0) & (self.places[b] >= 0) & self.chosen)
        return np.asarray(self.valued[a] & self.valued[b] & self.chosen)

    def drawn_by(self, units: Ints, grouping: Grouping | None) -> list[str]:
        """(n,) what the units, by their places, are drawn by: their clusters' names, or their
        ids."""
        ids = [self.ids[at] for at in units.tolist()]
        return ids if grouping is None else [grouping.names[one] for one in ids]


def align(sides: Sequence[Side], chosen: Collection[str] | None = None) -> Aligned:
    """The systems side by side, by ids; `chosen`: those of the slice, default all."""
    first = sides[0].ids
    if all(side.ids is first or list(side.ids) == list(first) for side in sides[1:]):
        ids: Sequence[str] = first
        own = np.arange(len(first), dtype=np.int64)
        places = np.broadcast_to(own, (len(sides), len(first)))
    else:
        index = {one: at for at, one in enumerate(dict.fromkeys(_all(sides)))}
        ids = list(index)
        places = np.full((len(sides), len(ids)), -1, np.int64)
        for row, side in zip(places, sides, strict=True):
            row[[index[one] for one in side.ids]] = np.arange(len(side.ids))
    valued = np.stack(
        [
            ~np.append(side.result.missing, True)[where]  # of a place of -1: True
            for where, side in zip(places, sides, strict=True)
        ]
    )
    unvoted = None
    if any(side.result.unvoted is not None for side in sides):
        unvoted = np.stack(
            [_unvoted(where, side.result) for where, side in zip(places, sides, strict=True)]
        )
    kept = np.ones(len(ids), np.bool_)
    if chosen is not None:
        inside = frozenset(chosen)
        kept = np.array([one in inside for one in ids], np.bool_)
    return Aligned(ids, places, valued, kept, chosen is not None, unvoted)


def _unvoted(where: Ints, result: Result) -> Mask:
    """(n,) of one system; `where`: its places, of which -1 is nowhere."""
    if result.unvoted is None:
        return np.zeros(len(where), np.bool_)
    return np.append(result.unvoted & result.missing, False)[where]


def refusal(
    metric: BoundMetric,
    sides: Sequence[Side],
    aligned: Aligned,
    pair: tuple[int, int],
    grouping: Grouping | None,
) -> str | None:
    """Why two of the systems must not be compared, over the units that they share, if so."""
    a, b = pair
    if not metric.set_bound:
        return None if aligned.both[a, b] else "no unit counts in both"
    if aligned.sliced:
        return f"{metric.name} depends on the whole set: there is none of a slice of it"
    if not np.array_equal(aligned.places[a] >= 0, aligned.places[b] >= 0):
        return f"{metric.name} depends on the whole set, and the sets differ"
    if grouping is None:
        return None
    return untestable(metric, [sides[at].result.settled for at in pair])


def refused_score(declared: Score, a: ScoreValue, b: ScoreValue) -> str | None:
    """Why two systems' values of a score must not be compared, over any units, if so."""
    return a.error or b.error or unlike(a.signature, b.signature) or declared.no_interval or None


def _all(sides: Sequence[Side]) -> list[str]:
    return [one for side in sides for one in side.ids]


@dataclass(frozen=True, slots=True)
class Cell:
    """Pairs that are tested alike: over the same units, with the same draws.

    pairs       (P,) which ones they are
    left, right (P,) their systems, among `systems`
    systems     (M,) those that take part
    units       (n,) the units, among the aligned ones
    """

    pairs: Ints
    left: Ints
    right: Ints
    systems: Ints
    units: Ints
    seed: int
    replicates: int
    level: float


@dataclass(frozen=True, slots=True)
class Draws:
    """What a pair's draws are made by; the same whichever of the two comes first."""

    seed: int
    replicates: int
    level: float


def cells(
    aligned: Aligned, pairs: Sequence[tuple[int, int]], draws: Sequence[Draws], set_bound: bool
) -> list[Cell]:
    """The pairs (indices of systems), grouped. `draws` has one entry a pair."""
    patterns: dict[bytes, int] = {}
    present = aligned.places >= 0 if set_bound else aligned.valued
    of = [patterns.setdefault(row.tobytes(), len(patterns)) for row in present]
    shared: dict[tuple[int, int], bytes] = {}
    grouped: dict[tuple[bytes, Draws], list[int]] = {}
    for at, ((a, b), how) in enumerate(zip(pairs, draws, strict=True)):
        kinds = (min(of[a], of[b]), max(of[a], of[b]))
        if kinds not in shared:
            shared[kinds] = aligned.shared(a, b, set_bound).tobytes()
        grouped.setdefault((shared[kinds], how), []).append(at)
    found = []
    for (mask, how), members in grouped.items():
        ends = np.array([pairs[at] for at in members], np.int64)
        systems, index = np.unique(ends, return_inverse=True)
        index = index.reshape(-1, 2)
        units = np.flatnonzero(np.frombuffer(mask, np.bool_))
        found.append(
            Cell(
                np.array(members, np.int64),
                index[:, 0],
                index[:, 1],
                systems,
                units,
                how.seed,
                how.replicates,
                how.level,
            )
        )
    return found


def rows_of(sides: Sequence[Side], aligned: Aligned, cell: Cell) -> list[Floats]:
    """(n, C) the cell's systems' rows of its units."""
    return [sides[at].result.settled.rows[aligned.places[at, cell.units]] for at in cell.systems]


def samples_of(sides: Sequence[Side], aligned: Aligned, cell: Cell) -> Floats | None:
    """(n, M, S) the cell's systems' own values of its units; None for set-level metrics."""
    found = []
    for at in cell.systems:
        own = sides[at].result.per_sample
        if own is None:
            return None
        found.append(own[aligned.places[at, cell.units]])
    return np.stack(found, 1)
