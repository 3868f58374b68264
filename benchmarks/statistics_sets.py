"""How often MAUVE's paired test rejects: systems' features drawn, settled, concluded, compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics_data import QUICK, TOPICS, Generator, features, of_features
from metrics import find
from metrics.core.compare import compare
from metrics.core.metric import BoundMetric
from metrics.core.result import Result, conclude

SIZES = (20, 50, 200)
ALPHA = 0.05
HEADINGS = ("MAUVE of two systems", "", *(f"n = {n}" for n in SIZES))


@dataclass(frozen=True, slots=True)
class Sides:
    """Outputs of two systems, and references.

    apart   how far both systems are from the references
    gap     how much farther the second is
    topics  whether the texts of a sample share their topic
    """

    name: str
    apart: float = 0.0
    gap: float = 0.0
    topics: bool = False

    @property
    def what(self) -> str:
        return "unequal: rejected" if self.gap else "equal systems: rejected"


ALL = (
    Sides("as the references"),
    Sides("apart from the references", apart=0.5),
    Sides("as the references, topics shared", topics=True),
    Sides("apart, topics shared", apart=0.5, topics=True),
    Sides("one off by 0.5", gap=0.5),
    Sides("one off by 0.5, topics shared", gap=0.5, topics=True),
)


def systems(rng: Generator, sides: Sides, n: int, metric: BoundMetric) -> tuple[Result, Result]:
    """What MAUVE concludes on either over n new samples, whose ids are 0, 1, …"""
    shared = rng.integers(TOPICS, size=n)

    def texts(moved: float) -> NDArray[np.float32]:
        return features(rng, shared if sides.topics else rng.integers(TOPICS, size=n), moved)

    references = texts(0.0)
    return (
        concluded(metric, texts(sides.apart), references),
        concluded(metric, texts(sides.apart + sides.gap), references),
    )


def concluded(
    metric: BoundMetric, outputs: NDArray[np.float32], references: NDArray[np.float32]
) -> Result:
    """Of texts with these features."""
    every = np.arange(len(outputs))
    evidence = of_features(outputs, references)
    return conclude(metric, evidence, every, ids(len(every)), {"name": metric.name})


def ids(n: int) -> list[str]:
    return [str(at) for at in range(n)]


def rejected(sides: Sides, n: int, simulations: int) -> float:
    """Of so many pairs of systems, the share that the test rejects at 5%, in per cent."""
    rng, count = np.random.default_rng([n, *sides.name.encode()]), 0
    for at in range(simulations):  # each clustered by seeds of its own: those of one may be odd
        metric = find("mauve").bind({**QUICK, "seed": 1000 + 5 * at})
        a, b = systems(rng, sides, n, metric)
        (found,) = compare(metric, a, ids(n), b, ids(n))
        count += found.difference is not None and found.difference.p_value <= ALPHA
    return 100 * count / simulations


def rejections(simulations: int) -> Iterator[Sequence[str]]:
    """A row for each kind of systems."""
    for sides in ALL:
        cells = [f"{rejected(sides, n, simulations):.1f}%" for n in SIZES]
        yield (sides.name, sides.what, *cells)
