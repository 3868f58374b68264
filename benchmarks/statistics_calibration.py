"""How often the test of two systems' calibration errors rejects: answers drawn and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.statistics_data import Generator
from metrics import find
from metrics.core.beside import with_fields
from metrics.core.compare import compare
from metrics.core.evidence import Column, Evidence
from metrics.core.result import Result, conclude
from metrics.core.rows import Floats

SIZES = (20, 50, 200, 1000)
ALPHA = 0.05
HEADINGS = ("ece, ece_debiased, brier of two systems", "", *(f"n = {n}" for n in SIZES))
METRIC = find("calibration").bind()
Confidence = Callable[[Floats], Floats]  # of the chance to be right


def steeper(by: float) -> Confidence:
    """Log odds multiplied."""
    return lambda p: np.asarray(p**by / (p**by + (1 - p) ** by), np.float64)


def shifted(by: float) -> Confidence:
    return lambda p: np.asarray(np.clip(p + by, 0, 1), np.float64)


@dataclass(frozen=True, slots=True)
class Systems:
    """How sure two systems are, by how likely to be right; `ease`: mean log odds of that."""

    name: str
    a: Confidence
    b: Confidence
    ease: float = 1.0
    equal: bool = True

    @property
    def what(self) -> str:
        return "equal systems: rejected" if self.equal else "unequal: rejected"


ALL = (
    Systems("calibrated", shifted(0.0), shifted(0.0)),
    Systems("log odds 1.8 times too large", steeper(1.8), steeper(1.8)),
    Systems("10 points too sure", shifted(0.1), shifted(0.1)),
    Systems("in words: tenths", lambda p: np.round(p, 1), lambda p: np.round(p, 1)),
    Systems("10 points too sure, 10 too little", shifted(0.1), shifted(-0.1), 0.0),
    Systems("5 points too sure, 5 too little", shifted(0.05), shifted(-0.05), 0.0),
    Systems("calibrated, 10 points too sure", shifted(0.0), shifted(0.1), equal=False),
    Systems("calibrated, 20 points too sure", shifted(0.0), shifted(0.2), equal=False),
)


def answers(rng: Generator, n: int, systems: Systems) -> tuple[Result, Result]:
    """Of both on n new questions, hard ones being hard for both."""
    hard = rng.normal(size=n)

    def one(confidence: Confidence) -> Result:
        luck = 0.8 * hard + 0.6 * rng.normal(size=n)
        chance = 1 / (1 + np.exp(-(systems.ease + 1.2 * luck)))
        right = (rng.random(n) < chance).astype(np.uint8)
        unit = np.arange(n)
        evidence = Evidence({"right": Column(right)})
        evidence = with_fields(METRIC, evidence, unit, {"confidence": confidence(chance)})
        return conclude(METRIC, evidence, unit, ids(n), {"name": METRIC.name})

    return one(systems.a), one(systems.b)


def ids(n: int) -> list[str]:
    return [str(at) for at in range(n)]


def rejected(systems: Systems, n: int, simulations: int) -> str:
    """The share that the test rejects at 5%, in per cent, a score each."""
    rng, count = np.random.default_rng([n, *systems.name.encode()]), np.zeros(3)
    for _ in range(simulations):
        a, b = answers(rng, n, systems)
        found = compare(METRIC, a, ids(n), b, ids(n))
        count += [one.difference is not None and one.difference.p_value <= ALPHA for one in found]
    return ", ".join(f"{share:.1f}%" for share in 100 * count / simulations)


def rejections(simulations: int) -> Iterator[Sequence[str]]:
    """A row for each kind of systems; unequal briers are told with them."""
    for systems in ALL:
        cells = [rejected(systems, n, simulations) for n in SIZES]
        yield (systems.name, systems.what, *cells)
