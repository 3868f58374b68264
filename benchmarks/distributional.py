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

TEXTS, WIDTH = 600, 384


def rows(scale: float) -> Iterator[Row]:
    yield _vendi(max(4, int(TEXTS * scale)))


def _vectors(count: int, seed: int) -> Any:
    """(n, 384) of unit length, with the spectrum of a sentence encoder's."""
    drawn = np.random.default_rng(seed).normal(size=(count, WIDTH))
    drawn *= np.arange(1, WIDTH + 1) ** -0.5
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
