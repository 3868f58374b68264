"""`python -m benchmarks.statistics`: do intervals cover, and do tests reject as often as they say?

Prints the tables of docs/statistics.md and docs/clusters.md, from data sets with fixed seeds.
Coverage is that of intervals that were given; how many were refused stands in brackets. The truth
is known, or the mean value of the simulated sets of that size (distinct-n and MAUVE depend on it).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks import clusters
from benchmarks import statistics_calibration as calibration
from benchmarks import statistics_data as data
from benchmarks import statistics_of_sources as sources
from benchmarks import statistics_people as people
from benchmarks import statistics_sets as sets
from benchmarks import statistics_tests as tests
from benchmarks import statistics_votes as votes
from benchmarks.statistics_data import Family
from metrics.core.rows import Floats
from metrics.statistics import intervals
from metrics.statistics.intervals import Intervals
from metrics.statistics.weights import totals, unit_keys

SIZES = (20, 50, 200, 1000)
LEVEL = 0.95
ROUNDING = 1e-9  # of the truth: sets in which no n-gram repeats differ by less


@dataclass(frozen=True, slots=True)
class Coverage:
    """given: share of data sets with an interval; right: of those, how many hold the truth, in per
    cent, a score each."""

    given: Floats
    right: Floats

    def shown(self) -> str:
        """Per cent, of several scores the least and most; in brackets how many intervals were
        refused, if any."""
        least, most = f"{self.right.min():.1f}", f"{self.right.max():.1f}"
        refused = 100 * (1 - float(self.given.min()))
        cell = least if len(self.right) == 1 else f"{least} to {most}"
        return f"{cell} ({refused:.0f}% refused)" if refused >= 0.5 else cell


def interval(family: Family, rows: Floats, given: data.Drawn, seed: int) -> Intervals:
    """By the metric's own method."""
    keys = unit_keys([str(at) for at in range(len(rows))])
    if family.method == "jackknife":
        return intervals.jackknife(
            rows,
            keys,
            family.reduce,
            loss=given.loss,
            variance=given.variance,
            bounds=family.bounds(totals(rows)),
            shares=family.shares,
            level=LEVEL,
        )
    if family.method == "bootstrap":
        return intervals.bootstrap(rows, keys, family.reduce, seed=seed, level=LEVEL)
    method = intervals.wilson if family.method == "wilson" else intervals.bootstrap_t
    bounds = family.bounds(totals(rows))
    return method(rows, keys, family.reduce, seed=seed, level=LEVEL, bounds=bounds)


def coverage(family: Family, n: int, simulations: int) -> Coverage:
    """Over so many data sets of n samples."""
    rng = np.random.default_rng([n, *family.name.encode()])
    values, lows, highs = [], [], []
    for at in range(simulations):
        given = family.draw(rng, n)
        found = interval(family, given.rows, given, at)
        values.append(family.reduce(totals(given.rows)))
        lows.append(found.low)
        highs.append(found.high)
    low, high = np.array(lows), np.array(highs)
    truth = np.nanmean(values, 0) if family.truth is None else family.truth
    known = np.isfinite(low) & np.isfinite(high)
    slack = ROUNDING * np.abs(truth)
    right = (known & (low <= truth + slack) & (truth - slack <= high)).sum(0)
    return Coverage(known.mean(0), 100 * right / np.maximum(known.sum(0), 1))


def coverages(kind: str) -> Callable[[int], Iterator[Sequence[str]]]:
    """A row a family of that kind: its name, its method, coverage at each size."""

    def rows(simulations: int) -> Iterator[Sequence[str]]:
        for family in data.KINDS[kind]():
            cells = []
            for n in SIZES:
                many = max(20, simulations // family.dear(n))
                cells.append(coverage(family, n, many).shown())
            yield (family.name, family.method, *cells)

    return rows


def covered(family: Family, n: int, simulations: int) -> str:
    """A cell of the table."""
    return coverage(family, n, simulations).shown()


COVERED = ("metric, data", "method", *(f"n = {n}" for n in SIZES))
TABLES: dict[str, tuple[Sequence[str], Callable[[int], Iterator[Sequence[str]]]]] = {
    **{kind: (COVERED, coverages(kind)) for kind in data.KINDS},
    "sources": (COVERED, sources.coverages(covered)),
    "tests_of_sources": (sources.HEADINGS, sources.rejections),
    "clusters": (clusters.HEADINGS, clusters.coverages(clusters.SOME)),
    "large_clusters": (clusters.HEADINGS, clusters.coverages(clusters.MANY)),
    "tests": (tests.HEADINGS, tests.rejections),
    "tests_by_sample": (tests.HEADINGS, tests.rejections_by_sample),
    "tests_of_sets": (sets.HEADINGS, sets.rejections),
    "tests_of_calibration": (calibration.HEADINGS, calibration.rejections),
    "ranks": (tests.RANK_HEADINGS, tests.rank_intervals),
    "votes": (votes.HEADINGS, votes.coverages),
    "votes_chosen": (votes.CHOSEN_HEADINGS, votes.choices),
    "votes_settled": (votes.SETTLED_HEADINGS, votes.settled),
    **people.TABLES,
}


def main() -> int:
    """Prints the tables as Markdown; progress on the error stream."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.statistics", description=__doc__)
    asked.add_argument("--simulations", type=int, default=500, help="data sets a cell")
    asked.add_argument("--only", nargs="+", choices=tuple(TABLES), default=tuple(TABLES))
    given = asked.parse_args()
    begun = time.perf_counter()
    for name in given.only:
        headings, rows = TABLES[name]
        print(f"\n| {' | '.join(headings)} |\n|{'---|' * len(headings)}", flush=True)
        for row in rows(given.simulations):
            print(f"| {' | '.join(row)} |", flush=True)
            print(f"{time.perf_counter() - begun:.0f} s: {row[0]}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
