"""How often paired tests reject, and whether rank intervals hold the true ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from benchmarks.statistics_data import Generator, mean
from metrics.core.rows import Floats
from metrics.statistics.paired import (
    Difference,
    approximate_randomization,
    paired_bootstrap,
)
from metrics.statistics.paired_jackknife import paired_jackknife
from metrics.statistics.quantiles import t_tail
from metrics.statistics.ranking import ranks
from metrics.statistics.weights import Keys, unit_keys

SIZES = (20, 50, 200, 1000)
ALPHA = 0.05
HEADINGS = ("test, data", "", *(f"n = {n}" for n in SIZES))
RANK_HEADINGS = ("equal systems", "tail", *(f"n = {n}" for n in SIZES))
TESTS: dict[str, Callable[..., tuple[Difference, ...]]] = {
    "paired bootstrap": paired_bootstrap,
    "approximate randomization": approximate_randomization,
    "paired jackknife (t)": paired_jackknife,
}
Pair = Callable[[Generator, int, float], tuple[Floats, Floats]]


def normal(rng: Generator, n: int, gap: float) -> tuple[Floats, Floats]:
    """Values with a common part, as of hard and easy samples; the gap in deviations of theirs."""
    hard = rng.normal(size=n)
    return _rows(hard + rng.normal(size=n) + gap * np.sqrt(2)), _rows(hard + rng.normal(size=n))


def skewed(rng: Generator, n: int, gap: float) -> tuple[Floats, Floats]:
    """Differences of exponential values, a symmetric but heavy-tailed one."""
    return _rows(rng.gamma(1.0, size=n) + gap * np.sqrt(2)), _rows(rng.gamma(1.0, size=n))


def right(rng: Generator, n: int, gap: float) -> tuple[Floats, Floats]:
    """0/1 values, right where a sample is easy enough for the system."""
    hard, luck = rng.random(n), 0.2 * rng.normal(size=(2, n))
    a, b = hard + luck[0] < 0.6 + 0.475 * gap, hard + luck[1] < 0.6
    return _rows(a.astype(float)), _rows(b.astype(float))


DATA: dict[str, Pair] = {"normal": normal, "exponential": skewed, "0 or 1": right}


def _rows(values: Floats) -> Floats:
    return np.stack([values, np.ones(len(values))], 1)


def rejections(simulations: int) -> Iterator[Sequence[str]]:
    """Type-I error at 5%, and the power for a difference of 2.8 standard errors (80% for a t
    test of many samples)."""
    for test, run in TESTS.items():
        options = {"trials": 1000} if run is approximate_randomization else {}
        for name, pair in DATA.items():
            for what, effect in (("equal systems: rejected", 0.0), ("unequal: rejected", 2.8)):
                cells = []
                for n in SIZES:
                    rng, keys, count = np.random.default_rng([n, 7]), _keys(n), 0
                    for at in range(simulations):
                        rows = pair(rng, n, effect / np.sqrt(n))
                        seed = {} if run is paired_jackknife else {"seed": at, **options}
                        (one,) = run(*rows, keys, mean, **seed)
                        count += one.p_value <= ALPHA
                    cells.append(f"{100 * count / simulations:.1f}%")
                yield (f"{test}, {name}", what, *cells)


def rank_intervals(simulations: int) -> Iterator[Sequence[str]]:
    """Share of boards of equal systems on which all rank intervals hold the true ranks at once,
    with tails of the normal and of Student's t with n - 1 degrees."""
    for systems in (10, 50):
        for tail in ("normal", "t(n − 1)"):
            cells = []
            for n in SIZES:
                rng, held = np.random.default_rng([n, systems]), 0
                for _ in range(simulations):
                    values, p = _board(rng, n, systems, tail)
                    found = ranks(values, p)
                    held += bool((found.best == 1).all() and (found.worst == systems).all())
                cells.append(f"{100 * held / simulations:.1f}%")
            yield (str(systems), tail, *cells)


def _board(rng: Generator, n: int, systems: int, tail: str) -> tuple[Floats, Floats]:
    """Values (N,), and (N, N) every pair's p-value by the standard error of its difference."""
    values = rng.normal(size=n) + rng.normal(size=(systems, n))
    covariance = np.cov(values, ddof=1) / n
    spread = np.diag(covariance)[:, None] + np.diag(covariance) - 2 * covariance
    means = values.mean(1)
    statistic = np.abs(means[:, None] - means) / np.sqrt(spread + np.eye(systems))
    freedom = float(n - 1) if tail != "normal" else 1e9
    tails = np.array([t_tail(one, freedom) for one in statistic.ravel()])
    return means, tails.reshape(systems, systems)


def _keys(n: int) -> Keys:
    return unit_keys([str(at) for at in range(n)])
