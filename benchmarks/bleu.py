"""BLEU's statistics against sacrebleu's: news segments, English and Russian."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.comparing import QUICK, Row, furthest, in_turns, ratio, rows_of
from benchmarks.texts import Pairs, news
from metrics.bleu import METRIC
from metrics.core.rows import Floats

REQUIRED = 5.0


def rows(scale: float) -> Iterator[Row]:
    inputs = [news(max(2, int(5000 * scale)), seed) for seed in range(QUICK)]

    def ours(pairs: Pairs) -> Floats:
        return rows_of(METRIC.bind(), pairs.samples)

    def theirs(pairs: Pairs) -> Any:
        from sacrebleu.metrics.bleu import BLEU

        return BLEU()._extract_corpus_statistics(pairs.outputs, [pairs.references])

    found = in_turns(inputs, ours, theirs)
    difference = max(furthest(a, b) for a, b in found.results)
    yield ratio(
        f"BLEU statistics, {len(inputs[0].outputs)} segments, against sacrebleu",
        found,
        REQUIRED,
        f"every statistic, largest difference {difference:.1g}",
        agrees=difference == 0,
    )
