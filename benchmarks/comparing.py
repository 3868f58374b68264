"""One row of the table, and the stopwatch behind it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Generic, TypeVar

import numpy as np

from inference.protocol import Models, NoModels
from metrics.core.measure import items_of, measure
from metrics.core.metric import BoundMetric, Sample
from metrics.core.rows import Floats

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")

ROUNDS, QUICK = 3, 5  # more where a round takes a second or two


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. `fast` and `agrees` are what the exit status is made of."""

    what: str
    ours: str
    theirs: str
    ratio: str
    required: str
    agreement: str
    fast: bool = True
    agrees: bool = True


@dataclass(frozen=True, slots=True)
class Timed(Generic[A, B]):
    """Medians over the rounds, in seconds, and what either side returned, round by round."""

    ours: float
    theirs: float
    results: list[tuple[A, B]]


def in_turns(inputs: Sequence[T], ours: Callable[[T], A], theirs: Callable[[T], B]) -> Timed[A, B]:
    """Both sides on every input, the first one changing from round to round.

    Each round has an input of its own: what a package remembers of texts it has seen helps no one.
    """
    spent: list[tuple[float, float]] = []
    results: list[tuple[A, B]] = []
    for number, one in enumerate(inputs):
        if number % 2:
            b, seconds_b = timed(theirs, one)
            a, seconds_a = timed(ours, one)
        else:
            a, seconds_a = timed(ours, one)
            b, seconds_b = timed(theirs, one)
        spent.append((seconds_a, seconds_b))
        results.append((a, b))
    return Timed(median(a for a, _ in spent), median(b for _, b in spent), results)


def timed(run: Callable[[T], A], given: T) -> tuple[A, float]:
    begun = time.perf_counter()
    result = run(given)
    return result, time.perf_counter() - begun


def ratio(
    what: str, found: Timed[Any, Any], required: float | None, agreement: str, agrees: bool
) -> Row:
    """A row of two packages: how many times as fast ours is, and how many times it has to be."""
    times = found.theirs / found.ours
    return Row(
        what,
        seconds(found.ours),
        seconds(found.theirs),
        f"{times:.1f}×",
        "" if required is None else f"≥ {required:g}×",
        agreement,
        fast=required is None or times >= required,
        agrees=agrees,
    )


def bound(what: str, measured: float, limit: float, unit: str, agreement: str = "") -> Row:
    """A row of ours alone, with a bound that is not a ratio."""
    shown = seconds(measured) if unit == "s" else f"{measured:.0f} {unit}"
    return Row(what, shown, "", "", f"≤ {limit:g} {unit}", agreement, fast=measured <= limit)


def seconds(value: float) -> str:
    return f"{value:.3f} s" if value < 1 else f"{value:.2f} s"


def rows_of(metric: BoundMetric, samples: Sequence[Sample], models: Models | None = None) -> Floats:
    """(n_samples, n_columns) what the service stores: measured and settled, as it does both."""
    items, unit = items_of(samples)
    evidence = measure(metric, items, models or NoModels())
    return metric.settle(evidence, unit).rows


def value_of(metric: BoundMetric, rows: Floats) -> Floats:
    """(n_scores,) the set's values."""
    return metric.reduce(rows.sum(0))


def furthest(a: Any, b: Any) -> float:
    """The largest absolute difference; infinite where shapes differ."""
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.abs(left - right).max(initial=0.0)) if left.shape == right.shape else np.inf
