"""distinct-1 … distinct-4 against the usual loop over sets of tuples."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.comparing import QUICK, Row, furthest, in_turns, ratio, rows_of, value_of
from benchmarks.texts import Pairs, news
from metrics.core.rows import Floats
from metrics.distinct_n import METRIC, ORDERS

REQUIRED = 5.0


def rows(scale: float) -> Iterator[Row]:
    inputs = [news(max(2, int(20_000 * scale)), seed) for seed in range(QUICK)]

    def ours(pairs: Pairs) -> Floats:
        metric = METRIC.bind()
        return value_of(metric, rows_of(metric, pairs.samples))[: len(ORDERS)]

    found = in_turns(inputs, ours, lambda pairs: [distinct(pairs.outputs, n) for n in ORDERS])
    difference = max(furthest(a, b) for a, b in found.results)
    yield ratio(
        f"distinct-1 … 4, {len(inputs[0].outputs)} outputs, against a loop over sets",
        found,
        REQUIRED,
        f"values, largest difference {difference:.1g}",
        agrees=difference == 0,
    )


def distinct(outputs: list[str], n: int) -> float:
    """As it is written everywhere."""
    seen: set[tuple[str, ...]] = set()
    total = 0
    for output in outputs:
        tokens = output.split()
        for start in range(len(tokens) - n + 1):
            seen.add(tuple(tokens[start : start + n]))
            total += 1
    return len(seen) / total
