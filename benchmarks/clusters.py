"""How often 95% intervals contain the truth when ten samples share a document.

`make statistics ARGS="--only clusters --simulations 1000"` prints the table of docs/clusters.md.

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

EACH, LIKE = 10, 0.3
DOCUMENTS = (5, 10, 20, 50, 100)

Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]  # documents, sets -> (n, sets)


def normal(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Values of mean 0."""
    common = np.repeat(rng.normal(0, LIKE**0.5, shape), EACH, 0)
    return np.asarray(common + rng.normal(0, (1 - LIKE) ** 0.5, common.shape), np.float64)


def passing(p: float) -> Draw:
    """Values 0 or 1 of mean p."""
    odds = (1 - LIKE) / LIKE

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
        chance = np.repeat(rng.beta(p * odds, (1 - p) * odds, shape), EACH, 0)
        return (rng.random(chance.shape) < chance).astype(np.float64)

    return draw


def each(rows: Floats, keys: Keys) -> intervals.Intervals:
    """The bootstrap-t's intervals, a data set at a time: its work grows with columns squared."""
    found = [
        intervals.bootstrap_t(rows[:, [at, -1]], keys, mean) for at in range(rows.shape[1] - 1)
    ]
    low, high = (np.array([getattr(one, end)[0] for one in found]) for end in ("low", "high"))
    return intervals.Intervals(low, high, ("bootstrap_t",) * len(low))


def covered(values: Floats, truth: float) -> tuple[float, float]:
    """Shares of intervals that contain the truth: over samples, over documents."""
    rows = np.concatenate([values, np.ones((len(values), 1))], 1)
    keys = unit_keys([str(at) for at in range(len(rows))])
    found = clusters([str(at // EACH) for at in range(len(rows))])
    ends = np.full(values.shape[1], -np.inf), np.full(values.shape[1], np.inf)
    pooled, share = found.pooled(rows), bool(((values == 0) | (values == 1)).all())
    if share:
        alone = intervals.wilson(rows, keys, mean, replicates=1)
        together = intervals.wilson(pooled, found.keys, mean, replicates=1)
    else:
        alone = each(rows, keys)
        if len(pooled) < diagnostics.FEW:
            together = few_clusters.student(pooled, found, mean, ends, replicates=1)
        else:
            together = each(pooled, found.keys)
    shares = [float(((a.low <= truth) & (truth <= a.high)).mean()) for a in (alone, together)]
    return shares[0], shares[1]


KINDS: dict[str, tuple[Draw, float]] = {
    "a mean": (normal, 0.0),
    **{f"share {p:.0%}": (passing(p), p) for p in (0.02, 0.1, 0.5, 0.9)},
}
HEADINGS = ("documents · samples", *KINDS)


def coverages(simulations: int) -> Iterator[Sequence[str]]:
    """A row for each number of documents: coverage over samples → over documents, in per cent."""
    for documents in DOCUMENTS:
        rng = np.random.default_rng(documents)
        cells = []
        for draw, truth in KINDS.values():
            alone, together = covered(draw(rng, (documents, simulations)), truth)
            cells.append(f"{100 * alone:.1f} → {100 * together:.1f}")
        yield (f"{documents} · {documents * EACH}", *cells)
