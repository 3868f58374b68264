"""Data sets whose true values are known, a family for each kind of metric."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.comparing import rows_of
from benchmarks.texts import english, news
from inference.protocol import NoModels
from metrics import find
from metrics.core.evidence import FLAG, Evidence
from metrics.core.measure import items_of, measure
from metrics.core.metric import BoundMetric, IntervalMethod, Sample
from metrics.core.rows import Floats, Ints
from metrics.pass_at_k import estimate

Generator = np.random.Generator
POPULATION = 20_000  # segments that data sets of texts are drawn from
TOPICS = 40
CENTRES = np.random.default_rng(0).normal(size=(TOPICS, 8))  # of their texts' features
QUICK = {"kmeans_redo": 1, "kmeans_iterations": 30}  # MAUVE's clusterings


@dataclass(frozen=True, slots=True)
class Drawn:
    """rows (n, C) of one data set; loss and variance as a metric settles them."""

    rows: Floats
    loss: Floats | None = None
    variance: Floats | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """truth (S,), None for what depends on the size; bounds of summed rows, as a metric's;
    shares: whether scores are shares of their bounds, None: all are."""

    name: str
    method: IntervalMethod
    draw: Callable[[Generator, int], Drawn]
    reduce: Callable[[Floats], Floats]
    truth: Floats | None
    bounds: Callable[[Floats], tuple[Floats, Floats]]
    slow: dict[int, int] = field(default_factory=dict)
    shares: NDArray[np.bool_] | None = None

    def dear(self, n: int) -> int:
        """How many times fewer data sets of n samples to simulate."""
        return self.slow.get(n, 1)


def mean(sums: Floats) -> Floats:
    """The means of rows (value, …, value, 1)."""
    return np.asarray(sums[..., :-1] / sums[..., -1:], np.float64)


def unbounded(sums: Floats) -> tuple[Floats, Floats]:
    return np.full(1, -np.inf), np.full(1, np.inf)


def between(sums: Floats) -> tuple[Floats, Floats]:
    return np.zeros(1), np.ones(1)


def _of_values(
    name: str,
    method: IntervalMethod,
    values: Callable[[Generator, int], Floats],
    truth: float,
    bounds: Callable[[Floats], tuple[Floats, Floats]],
) -> Family:
    def draw(rng: Generator, n: int) -> Drawn:
        return Drawn(np.stack([values(rng, n), np.ones(n)], 1))

    return Family(name, method, draw, mean, np.array([truth]), bounds)


def _shares() -> list[Family]:
    found = [
        _of_values(
            f"exact match, {share:.0%} right",
            "wilson",
            lambda rng, n, p=share: (rng.random(n) < p).astype(float),  # type: ignore[misc]
            share,
            between,
        )
        for share in (0.03, 0.1, 0.5)
    ]
    for name, outputs, k, a, b in (
        ("pass@1, 10 outputs, hard", 10, 1, 0.15, 2.0),
        ("pass@10, 20 outputs, strong", 20, 10, 0.8, 0.3),
        ("pass@10, 20 outputs, all but solved", 20, 10, 2.0, 0.6),
    ):
        found.append(_pass_at(name, outputs, k, a, b))
    zeros = _of_values(
        "token F1, four fifths 0",
        "wilson",
        lambda rng, n: np.where(rng.random(n) < 0.8, 0.0, rng.random(n)),
        0.1,
        between,
    )
    return [*found, zeros]


def _pass_at(name: str, outputs: int, k: int, a: float, b: float) -> Family:
    """Problems whose chance to be solved is Beta(a, b)."""

    def values(rng: Generator, n: int) -> Floats:
        passed = rng.binomial(outputs, rng.beta(a, b, n))
        return estimate(np.full(n, outputs), passed, k)

    truth = float(values(np.random.default_rng(0), 2_000_000).mean())
    return _of_values(name, "wilson", values, truth, between)


def _means() -> list[Family]:
    def outliers(rng: Generator, n: int) -> Floats:
        return np.where(rng.random(n) < 0.01, -50.0, rng.normal(size=n))

    def student(rng: Generator, n: int) -> Floats:
        return rng.standard_t(3, n)

    def perplexity(rng: Generator, n: int) -> Drawn:
        tokens = rng.integers(5, 60, n)
        return Drawn(np.stack([tokens * rng.gamma(9.0, 1 / 3, n), tokens], 1))

    def exp(sums: Floats) -> Floats:
        return np.asarray(np.exp(sums[..., :1] / sums[..., 1:]), np.float64)

    kind: IntervalMethod = "bootstrap_t"
    return [
        _of_values("reward, normal", kind, lambda rng, n: rng.normal(size=n), 0.0, unbounded),
        _of_values("reward, exponential", kind, lambda rng, n: rng.gamma(1, size=n), 1, unbounded),
        _of_values(
            "reward, lognormal σ 1.5",
            kind,
            lambda rng, n: rng.lognormal(0, 1.5, n),
            float(np.exp(1.125)),
            unbounded,
        ),
        _of_values(
            "reward, t with 3 degrees", kind, lambda rng, n: rng.standard_t(3, n), 0, unbounded
        ),
        _of_values("reward, 1% at −50", kind, outliers, -0.5, unbounded),
        _of_values(
            "length in words",
            kind,
            lambda rng, n: rng.negative_binomial(2, 0.05, n).astype(float),
            38.0,
            lambda sums: (np.zeros(1), np.full(1, np.inf)),
        ),
        Family("perplexity", kind, perplexity, exp, np.array([np.exp(3.0)]), unbounded),
    ]


def _texts() -> list[Family]:
    """Rows of real text, measured by the metrics; data sets are drawn from them."""
    samples = news(POPULATION, seed=0).samples
    found = []
    for name in ("bleu", "chrf", "rouge"):
        metric = find(name).bind().resolve(samples)
        rows = rows_of(metric, samples)

        def draw(rng: Generator, n: int, rows: Floats = rows) -> Drawn:
            return Drawn(rows[rng.integers(len(rows), size=n)])

        truth = metric.reduce(rows.sum(0))
        shown = {"bleu": "BLEU", "chrf": "chrF", "rouge": "ROUGE-1, 2, L, Lsum"}[name]
        found.append(Family(shown, metric.interval, draw, metric.reduce, truth, metric.bounds))
    return found


def _sets() -> list[Family]:
    metric = find("distinct_n").bind()
    plain = english(POPULATION, 0).outputs
    return [
        _distinct(metric, "distinct_1 to 4, ead_1 to 4", plain),
        _distinct(metric, "the same, 5% begin with stock sentences", _stocked(plain)),
        _mauve(0.0, "MAUVE, equal sides"),
        _mauve(0.5, "MAUVE, sides apart"),
    ]


def _stocked(texts: Sequence[str]) -> list[str]:
    rng = np.random.default_rng(1)
    stock = [" ".join(text.split()[:9]) for text in texts[:50]]
    return [
        f"{stock[int(50 * rng.random() ** 2)]} {text}" if rng.random() < 0.05 else text
        for text in texts
    ]


def _distinct(metric: BoundMetric, name: str, texts: Sequence[str]) -> Family:
    items, _ = items_of([Sample(str(at), (text,)) for at, text in enumerate(texts)])
    evidence = measure(metric, items, NoModels())

    def draw(rng: Generator, n: int) -> Drawn:
        chosen = rng.choice(len(texts), n, replace=False)
        settled = metric.settle(evidence.take(chosen), np.arange(n))
        return Drawn(settled.rows, settled.loss)

    return Family(name, "jackknife", draw, metric.reduce, None, metric.bounds, {1000: 5})


def features(rng: Generator, topics: Ints, moved: float) -> NDArray[np.float32]:
    """(n, 8) of texts of so many topics (n,), out of TOPICS, all `moved` by so much."""
    near = CENTRES[topics] + moved
    return (near + 0.5 * rng.normal(size=near.shape)).astype(np.float32)


def of_features(outputs: NDArray[np.float32], references: NDArray[np.float32]) -> Evidence:
    """What MAUVE measures of texts with these features, an output and a reference a sample."""
    fixed: dict[str, NDArray[np.generic]] = {
        "output": outputs,
        FLAG: np.zeros(len(outputs), np.uint8),
    }
    return Evidence.of_ragged({"references": [one[None] for one in references]}, fixed)


def _mauve(apart: float, name: str) -> Family:
    """Texts' features from a mixture of normals; the outputs' moved by `apart`."""
    metric = find("mauve").bind(QUICK)

    def side(rng: Generator, n: int, moved: float) -> NDArray[np.float32]:
        return features(rng, rng.integers(TOPICS, size=n), moved)

    def draw(rng: Generator, n: int) -> Drawn:
        references = side(rng, n, 0.0)
        settled = metric.settle(of_features(side(rng, n, apart), references), np.arange(n))
        return Drawn(settled.rows, None, settled.variance)

    slow = {20: 2, 50: 2, 200: 5, 1000: 12}
    return Family(name, "jackknife", draw, metric.reduce, None, metric.bounds, slow)


KINDS: dict[str, Callable[[], list[Family]]] = {
    "shares": _shares,
    "means": _means,
    "texts": _texts,
    "sets": _sets,
}
