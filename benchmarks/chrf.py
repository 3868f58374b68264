"""chrF and chrF++ against sacrebleu: news segments, English and Russian."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.comparing import ROUNDS, Row, furthest, in_turns, ratio, rows_of
from benchmarks.texts import Pairs, news
from metrics.chrf import METRIC
from metrics.core.rows import Floats

REQUIRED = 5.0


def rows(scale: float) -> Iterator[Row]:
    for word_order in (0, 2):
        inputs = [news(max(2, int(2000 * scale)), seed) for seed in range(ROUNDS)]

        def ours(pairs: Pairs, word_order: int = word_order) -> Floats:
            return rows_of(METRIC.bind({"word_order": word_order}), pairs.samples)

        def theirs(pairs: Pairs, word_order: int = word_order) -> Any:
            from sacrebleu.metrics.chrf import CHRF

            scorer = CHRF(word_order=word_order)
            return scorer._extract_corpus_statistics(pairs.outputs, [pairs.references])

        found = in_turns(inputs, ours, theirs)
        difference = max(furthest(a, b) for a, b in found.results)
        yield ratio(
            f"{'chrF++' if word_order else 'chrF'} statistics, "
            f"{len(inputs[0].outputs)} segments, against sacrebleu",
            found,
            REQUIRED,
            f"every statistic, largest difference {difference:.1g}",
            agrees=difference == 0,
        )
