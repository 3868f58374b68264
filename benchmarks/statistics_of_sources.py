"""How often intervals of `statistics_sources` cover, and two equal systems are rejected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from benchmarks.statistics_data import Drawn, Family, Generator
from benchmarks.statistics_sources import ALL, Source
from metrics.core.rows import Settled
from metrics.core.set_level import without_units
from metrics.statistics.paired import paired_bootstrap
from metrics.statistics.paired_jackknife import differences
from metrics.statistics.weights import unit_keys

SIZES = (20, 50, 200, 1000)
ALPHA = 0.05
FEWEST = 20
HEADINGS = ("two equal systems: rejected", "test", *(f"n = {n}" for n in SIZES))
NOT_RUN = "–"
Covered = Callable[[Family, int, int], str]  # of data sets of a size, so many


def family(source: Source) -> Family:
    """Whose true value is that of sets of the size: the mean over those simulated."""

    def draw(rng: Generator, n: int) -> Drawn:
        one, _ = source.draw(rng, n)
        return Drawn(one.rows, one.loss, one.variance)

    return Family(source.name, source.metric.interval, draw, source.reduce, None, source.bounds)


def coverages(covered: Covered) -> Callable[[int], Iterator[Sequence[str]]]:
    """A row a source."""

    def rows(simulations: int) -> Iterator[Sequence[str]]:
        for source in ALL:
            one = family(source)
            cells = [
                covered(one, n, max(FEWEST, simulations // source.sizes[n]))
                if n in source.sizes
                else NOT_RUN
                for n in SIZES
            ]
            yield (source.name, source.metric.interval, *cells)

    return rows


def p_values(source: Source, a: Settled, b: Settled, seed: int) -> list[float]:
    """As a comparison has them, of the scores that vary."""
    keys, metric = unit_keys([str(at) for at in range(len(a.rows))]), source.metric
    if metric.interval == "jackknife":
        systems = without_units([metric, metric], [a, b], keys, clustered=False)
        ends = systems.map(lambda x: x[..., 0, :]), systems.map(lambda x: x[..., 1, :])
        found = differences(*ends, units=len(keys))
    else:
        found = paired_bootstrap(a.rows, b.rows, keys, source.reduce, seed=seed)
    return [one.p_value for one in found][: source.scores]


def rejected(source: Source, n: int, simulations: int) -> str:
    """Per cent, of several scores the least and the most."""
    rng = np.random.default_rng([n, *source.name.encode()])
    found = np.array([p_values(source, *source.draw(rng, n), seed) for seed in range(simulations)])
    found = found[:, (found < 1).any(0)]  # without scores in which the two never differ
    share = 100 * (found <= ALPHA).mean(0)
    least, most = f"{share.min():.1f}%", f"{share.max():.1f}%"
    return least if len(share) == 1 else f"{least} to {most}"


def rejections(simulations: int) -> Iterator[Sequence[str]]:
    """A row a source."""
    for source in ALL:
        test = "jackknife" if source.metric.interval == "jackknife" else "bootstrap"
        cells = [
            rejected(source, n, max(FEWEST, simulations // source.sizes[n]))
            if n in source.sizes
            else NOT_RUN
            for n in SIZES
        ]
        yield (source.name, f"paired {test}", *cells)
