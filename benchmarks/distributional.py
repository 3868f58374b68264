"""What looks at a whole set of embeddings, against the packages; the encoder itself is timed in
`embeddings`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.comparing import ROUNDS, Row, furthest, in_turns, ratio
from metrics import find
from metrics.core.evidence import Column, Evidence
from metrics.core.rows import Floats

TEXTS, WIDTH = 600, 384  # of MiniLM
WIDE = 768  # of BERT, which the distance is taken with elsewhere


def rows(scale: float) -> Iterator[Row]:
    yield _vendi(max(4, int(TEXTS * scale)))
    yield _frechet(max(4, int(2 * TEXTS * scale)))
    yield _movers(max(2, int(50 * scale)))


def _vectors(count: int, seed: int, width: int = WIDTH) -> Any:
    """(n, width) of unit length, with the spectrum of a sentence encoder's."""
    drawn = np.random.default_rng(seed).normal(size=(count, width))
    drawn *= np.arange(1, width + 1) ** -0.5
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def _vendi(count: int) -> Row:
    from vendi_score import vendi

    bound = find("vendi").bind()

    def ours(vectors: Any) -> Floats:
        evidence = Evidence({"output": Column(vectors)})
        return bound.reduce(bound.settle(evidence, np.arange(count)).rows.sum(0))

    def theirs(vectors: Any) -> Any:
        return np.array([vendi.score(vectors.astype(np.float64), np.dot)])

    found = in_turns([_vectors(count, seed) for seed in range(ROUNDS)], ours, theirs)
    difference = max(furthest(a / b, 1.0 + 0 * b) for a, b in found.results)
    return ratio(
        f"Vendi score of {count} embeddings, against vendi-score",
        found,
        5.0,
        f"values within {difference:.1g} of each other",
        agrees=difference < 1e-6,
    )


def _frechet(count: int) -> Row:
    """pytorch-fid's arithmetic, which is numpy's and scipy's."""
    from scipy.linalg import sqrtm

    bound = find("frechet").bind()

    def ours(sides: tuple[Any, Any]) -> Floats:
        outputs, references = sides
        evidence = Evidence.of_ragged(
            {"references": list(references[:, None])}, {"output": outputs}
        )
        return bound.reduce(bound.settle(evidence, np.arange(count)).rows.sum(0))

    def theirs(sides: tuple[Any, Any]) -> Any:
        first, second = (side.astype(np.float64) for side in sides)
        apart = first.mean(0) - second.mean(0)
        covariances = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
        root = sqrtm(covariances[0] @ covariances[1]).real
        traces = np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * np.trace(root)
        return np.array([apart @ apart + traces])

    inputs = [
        (_vectors(count, seed, WIDE), _vectors(count, 100 + seed, WIDE)) for seed in range(ROUNDS)
    ]
    found = in_turns(inputs, ours, theirs)
    difference = max(furthest(a / b, 1.0 + 0 * b) for a, b in found.results)
    return ratio(
        f"Fréchet distance of {count} and {count} BERT embeddings, against pytorch-fid's formula",
        found,
        1.0,
        f"values within {difference:.1g} of each other",
        agrees=difference < 1e-6,
    )


def _movers(count: int) -> Row:
    """moverscore itself wants a GPU and a transformers of 2020, and pyemd is POT today: the exact
    distance by scipy's linear programming is what is left to compare with."""
    from scipy.optimize import linprog

    from metrics.moverscore import moved

    size = 40
    rows = np.kron(np.eye(size), np.ones(size)), np.kron(np.ones(size), np.eye(size))
    alike = np.full(size, 1 / size)

    def ours(distances: Any) -> Any:
        return np.array([moved(alike, alike, one) for one in distances])

    def theirs(distances: Any) -> Any:
        sums, equations = np.r_[alike, alike], np.vstack(rows)
        return np.array([linprog(one.ravel(), A_eq=equations, b_eq=sums).fun for one in distances])

    def drawn(seed: int) -> Any:
        return np.random.default_rng(seed).random((count, size, size))

    found = in_turns([drawn(seed) for seed in range(ROUNDS)], ours, theirs)
    difference = max(furthest(a, b) for a, b in found.results)
    return ratio(
        f"MoverScore's distance, {count} pairs of 40 word pieces, against scipy's linprog",
        found,
        5.0,
        f"every distance, largest difference {difference:.1g}",
        agrees=difference < 1e-9,
    )
