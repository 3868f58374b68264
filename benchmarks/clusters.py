"""How often 95% intervals contain the truth when ten samples share a document, or forty.

`make statistics ARGS="--only clusters large_clusters --simulations 1000"` prints the tables of
docs/clusters.md.

Intra-class correlation 0.3: of two samples of one document the values correlate by that. The rows
are shared by all simulations of a cell: a score each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from benchmarks.statistics_data import mean
from metrics.statistics import diagnostics, few_clusters, intervals
from metrics.statistics.clusters import clusters
from metrics.statistics.weights import Floats, Keys, unit_keys

SOME, MANY = 10, 40  # samples a document
LIKE = 0.3
DOCUMENTS = (5, 10, 20, 50, 100)

Draw = Callable[[np.random.Generator, tuple[int, int], int], Floats]
"""documents, sets; samples a document -> (n, sets)"""


def normal(rng: np.random.Generator, shape: tuple[int, int], each: int) -> Floats:
    """Values of mean 0."""
    common = np.repeat(rng.normal(0, LIKE**0.5, shape), each, 0)
    return np.asarray(common + rng.normal(0, (1 - LIKE) ** 0.5, common.shape), np.float64)


def passing(p: float) -> Draw:
    """Values 0 or 1 of mean p."""
    odds = (1 - LIKE) / LIKE

    def draw(rng: np.random.Generator, shape: tuple[int, int], each: int) -> Floats:
        chance = np.repeat(rng.beta(p * odds, (1 - p) * odds, shape), each, 0)
        return (rng.random(chance.shape) < chance).astype(np.float64)

    return draw


def one_by_one(rows: Floats, keys: Keys) -> intervals.Intervals:
    """The bootstrap-t's intervals, a data set at a time: its work grows with columns squared."""
    found = [
        intervals.bootstrap_t(rows[:, [at, -1]], keys, mean) for at in range(rows.shape[1] - 1)
    ]
    low, high = (np.array([getattr(one, end)[0] for one in found]) for end in ("low", "high"))
    return intervals.Intervals(low, high, ("bootstrap_t",) * len(low))


def covered(values: Floats, truth: float, each: int) -> tuple[float, float]:
    """Shares of intervals that contain the truth: over samples, over documents."""
    rows = np.concatenate([values, np.ones((len(values), 1))], 1)
    keys = unit_keys([str(at) for at in range(len(rows))])
    found = clusters([str(at // each) for at in range(len(rows))])
    ends = np.full(values.shape[1], -np.inf), np.full(values.shape[1], np.inf)
    pooled, share = found.pooled(rows), bool(((values == 0) | (values == 1)).all())
    if share:
        alone = intervals.wilson(rows, keys, mean, replicates=1)
        together = intervals.wilson(pooled, found.keys, mean, replicates=1)
    else:
        alone = one_by_one(rows, keys)
        if len(pooled) < diagnostics.FEW:
            together = few_clusters.student(pooled, found, mean, ends, replicates=1)
        else:
            together = one_by_one(pooled, found.keys)
    shares = [float(((a.low <= truth) & (truth <= a.high)).mean()) for a in (alone, together)]
    return shares[0], shares[1]


KINDS: dict[str, tuple[Draw, float]] = {
    "a mean": (normal, 0.0),
    **{f"share {p:.0%}": (passing(p), p) for p in (0.02, 0.1, 0.5, 0.9)},
}
HEADINGS = ("documents · samples", *KINDS)


def coverages(each: int) -> Callable[[int], Iterator[Sequence[str]]]:
    """A row for each number of documents: coverage over samples → over documents, in per cent."""

    def rows(simulations: int) -> Iterator[Sequence[str]]:
        for documents in DOCUMENTS:
            rng = np.random.default_rng(documents)
            cells = []
            for draw, truth in KINDS.values():
                values = draw(rng, (documents, simulations), each)
                alone, together = covered(values, truth, each)
                cells.append(f"{100 * alone:.1f} → {100 * together:.1f}")
            yield (f"{documents} · {documents * each}", *cells)

    return rows
