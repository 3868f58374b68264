"""Designs: who and what is put together, so that everything meets about equally often.

    blocks  (B, m)  int64, the m different points of each of B blocks

Points may be systems and blocks the tuples that best–worst scaling shows; or points annotators, and
blocks the items with the m annotators who judge each.

1. Each block takes the points that were taken least so far; among those, the ones that met its
   other points least; chance decides the rest. Points are so taken equally often, or once more.
2. Pairs of blocks exchange two points wherever that lowers Σ (how often a pair met)². No point is
   taken more often by it.
3. Of `TRIES` such designs the one with the least sum is given, its points in random places.

The same seed gives the same design. Source: Fisher & Yates's balanced incomplete block designs,
which exist for some sizes alone; this one is nearly balanced for all, by exchange as in Nguyen
(1994), "Construction of optimal block designs by computer".
"""

from __future__ import annotations

import numpy as np

from metrics.statistics.annotations import Ints
from metrics.statistics.weights import Floats

TRIES = 3
EACH, EXCHANGES = 40, 100_000  # pairs that are looked at, of each block and at most, in a try


def balanced(points: int, size: int, blocks: int, *, seed: int = 0) -> Ints:
    """(blocks, size) a design. ValueError where a block has no room for its points."""
    if not 1 <= size <= points:
        raise ValueError(f"{size} different points cannot be taken of {points}")
    if blocks < 1:
        raise ValueError("a design has one block or more")
    chance = np.random.default_rng(seed)
    tried = []
    for _ in range(TRIES):
        design = _exchange(_greedy(points, size, blocks, chance), points, chance)
        tried.append((float((meetings(design, points) ** 2).sum()), design))
    design = min(tried, key=lambda one: one[0])[1]
    return np.asarray(chance.permuted(design, axis=1), np.int64)


def assignments(
    items: int, annotators: int, overlap: int, *, most: int | None = None, seed: int = 0
) -> Ints:
    """(items, overlap) who judges each item: annotators have about as much to do each, and every
    two of them about as many items in common.

    most  items that an annotator can be given; ValueError where that does not suffice, which says
          how many annotators would
    """
    needed = -(-items * overlap // annotators)
    if most is not None and needed > most:
        least = max(overlap, -(-items * overlap // most))
        raise ValueError(
            f"{annotators} annotators of {most} items each cannot judge {items} items "
            f"{overlap} times: {least} annotators could"
        )
    return balanced(annotators, overlap, items, seed=seed)


def meetings(design: Ints, points: int) -> Floats:
    """(points, points) in how many blocks each pair meets; 0 on the diagonal."""
    there = np.zeros((len(design), points))
    np.put_along_axis(there, design, 1.0, 1)
    met = there.T @ there
    np.fill_diagonal(met, 0.0)
    return np.asarray(met, np.float64)


def _greedy(points: int, size: int, blocks: int, chance: np.random.Generator) -> Ints:
    design = np.zeros((blocks, size), np.int64)
    taken = np.zeros(points)
    met = np.zeros((points, points))
    for block in design:
        among = np.zeros(points)  # meetings with the points of this block
        free = np.ones(points, np.bool_)
        for place in range(size):
            order = np.lexsort((chance.random(points), among, taken, ~free))
            point = int(order[0])
            met[point, block[:place]] += 1
            met[block[:place], point] += 1
            block[place] = point
            free[point] = False
            taken[point] += 1
            among += met[point]
    return design


def _exchange(design: Ints, points: int, chance: np.random.Generator) -> Ints:
    """The design after exchanges between random pairs of blocks, while they help."""
    blocks, size = design.shape
    rows = [set(block) for block in design.tolist()]
    met = meetings(design, points).tolist()
    if blocks > 1 and 1 < size < points:
        draws = chance.integers(0, blocks, (min(EXCHANGES, EACH * blocks), 2)).tolist()
        places = chance.integers(0, size, (len(draws), 2)).tolist()
        for (first, second), (i, j) in zip(draws, places, strict=True):
            here, there = rows[first], rows[second]
            a, b = list(here)[i], list(there)[j]
            if a not in there and b not in here:
                _try(here, there, a, b, met)
    return np.array([sorted(block) for block in rows], np.int64)


def _try(here: set[int], there: set[int], a: int, b: int, met: list[list[float]]) -> None:
    """Exchange a of one block for b of another, if pairs then meet more evenly."""
    left, right = here - {a}, there - {b}
    left, right = left - right, right - left  # what both have, a and b meet as often as before
    gain = sum(met[a][c] - met[b][c] for c in left) + sum(met[b][c] - met[a][c] for c in right)
    # Σ met² changes by 2 met + 1 for each meeting that is added, by 1 - 2 met for each one less
    if gain <= len(left) + len(right):
        return
    for point, others, by in ((a, left, -1), (b, left, 1), (b, right, -1), (a, right, 1)):
        for other in others:
            met[point][other] += by
            met[other][point] += by
    here.remove(a)
    here.add(b)
    there.remove(b)
    there.add(a)
