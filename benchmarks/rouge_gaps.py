"""ROUGE-W, and ROUGE-S with ROUGE-SU, against Lin's definitions as plain loops.

Summaries of 60 to 100 words, which both sides cut into words with the same tokenizer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.comparing import ROUNDS, Row, furthest, in_turns, ratio, rows_of
from benchmarks.texts import Pairs, summaries
from metrics import find
from metrics.core.metric import BoundMetric
from metrics.core.rows import Floats
from metrics.text.words import unicode_words

Words = list[str]
Loop = Callable[[Words, Words], list[float]]

TOLERANCE = 1e-14


def rows(scale: float) -> Iterator[Row]:
    from tests.metrics.rouge_loops import rouge_s, rouge_w

    def gaps(one: Words, other: Words) -> list[float]:
        return [rouge_s(one, other, unigrams=unigrams) for unigrams in (False, True)]

    loops: dict[str, tuple[Loop, float]] = {
        "rouge_w": (lambda one, other: [rouge_w(one, other)], 5.0),
        "rouge_s": (gaps, 4.0),
    }
    for name, (loop, required) in loops.items():
        inputs = [summaries(max(2, int(500 * scale)), seed) for seed in range(ROUNDS)]
        metric = find(name).bind()

        def ours(pairs: Pairs, metric: BoundMetric = metric) -> Floats:
            return rows_of(metric, pairs.samples)[:, :-1]

        def theirs(pairs: Pairs, loop: Loop = loop) -> Floats:
            both = zip(pairs.outputs, pairs.references, strict=True)
            return np.array([loop(unicode_words(one), unicode_words(other)) for one, other in both])

        found = in_turns(inputs, ours, theirs)
        difference = max(furthest(a, b) for a, b in found.results)
        yield ratio(
            f"{name.upper().replace('_', '-')}, {len(inputs[0].outputs)} summaries, against a loop",
            found,
            required,
            f"every F-measure, largest difference {difference:.1g}",
            agrees=difference < TOLERANCE,
        )
