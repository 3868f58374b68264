"""ROUGE against rouge-score: summaries of 60 to 100 words, all four scores."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.comparing import ROUNDS, Row, furthest, in_turns, ratio, rows_of
from benchmarks.texts import Pairs, summaries
from metrics.core.metric import BoundMetric
from metrics.core.rows import Floats
from metrics.rouge import METRIC, NAMES

REQUIRED = 40.0


def rows(scale: float) -> Iterator[Row]:
    for stemmer in (False, True):
        inputs = [summaries(max(2, int(500 * scale)), seed) for seed in range(ROUNDS)]
        metric = METRIC.bind(
            {"stemmer": stemmer, "tokenizer": "rouge_score", "language": "english"}
        )

        def ours(pairs: Pairs, metric: BoundMetric = metric) -> Floats:
            return rows_of(metric, pairs.samples)[:, :-1]

        def theirs(pairs: Pairs, stemmer: bool = stemmer) -> list[list[float]]:
            from rouge_score.rouge_scorer import RougeScorer

            scorer = RougeScorer(list(NAMES), use_stemmer=stemmer)
            both = zip(pairs.references, pairs.outputs, strict=True)
            scored = [scorer.score(reference, output) for reference, output in both]
            return [[score[name].fmeasure for name in NAMES] for score in scored]

        found = in_turns(inputs, ours, theirs)
        difference = max(furthest(a, b) for a, b in found.results)
        yield ratio(
            f"ROUGE-1, 2, L, Lsum{', stemmed' if stemmer else ''}, "
            f"{len(inputs[0].outputs)} summaries, against rouge-score",
            found,
            REQUIRED,
            f"every F-measure, largest difference {difference:.1g}",
            agrees=difference == 0,
        )
