"""Sentence similarity against sentence-transformers: the same encoder, models warm, one thread.

sentence-transformers sorts by length and pads 32 texts to the longest; ours fills a pass by tokens.
Either side multiplies the same matrices, so that only padding can be saved.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.bertscore import MODEL, _folder, one_thread
from benchmarks.comparing import ROUNDS, Row, furthest, in_turns, ratio, rows_of
from benchmarks.texts import Pairs, news
from inference.load import without_progress_bars
from inference.pool import ModelPool
from metrics.core.rows import Floats
from metrics.sentence_similarity import METRIC

TOLERANCE = 1e-5
SEGMENTS = 96


def rows(scale: float) -> Iterator[Row]:
    from sentence_transformers import SentenceTransformer, models, util  # type: ignore[attr-defined]

    without_progress_bars()
    transformer = models.Transformer(_folder(), max_seq_length=512)
    pooling = models.Pooling(transformer.get_embedding_dimension(), pooling_mode="mean")
    encoder = SentenceTransformer(modules=[transformer, pooling], device="cpu")
    with tempfile.TemporaryDirectory() as cache, one_thread():
        pool = ModelPool([], Path(cache))

        def ours(pairs: Pairs) -> Floats:
            return rows_of(METRIC.bind({"model": MODEL}), pairs.samples, pool)[:, 0]

        def theirs(pairs: Pairs) -> Any:
            vectors = encoder.encode([*pairs.outputs, *pairs.references])
            n = len(pairs.outputs)
            return util.pairwise_cos_sim(vectors[:n], vectors[n:]).numpy()

        in_turns([news(4, 99)], ours, theirs)  # both load and warm up
        inputs = [news(max(4, int(SEGMENTS * scale)), seed) for seed in range(ROUNDS)]
        found = in_turns(inputs, ours, theirs)
        difference = max(furthest(a, b) for a, b in found.results)
        yield ratio(
            f"Sentence similarity (MiniLM-L6), {len(inputs[0].outputs)} segments, "
            "against sentence-transformers",
            found,
            1.0,
            f"every cosine, largest difference {difference:.1g}",
            agrees=difference < TOLERANCE,
        )
