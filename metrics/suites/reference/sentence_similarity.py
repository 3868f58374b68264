# needs: sentence-transformers==6.2.0
"""The cosine of output and reference, by sentence-transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metrics.suites.reference.embedder import embedder
from metrics.suites.reference.frame import Sample, Scores, average

ONLY = {"dtype": "float32", "pooling": "mean"}


def sentence_similarity(samples: Sequence[Sample], params: dict[str, Any]) -> Scores:
    """The greatest cosine over the references."""
    from sentence_transformers.util import cos_sim

    encoder, prefix = embedder(params["model"]), params["prefix"]

    def value(output: str, sample: Sample) -> float | None:
        given = [prefix + one for one in sample["references"] if one.strip()]
        if not given or not output.strip():
            return 0.0 if given else None
        return float(cos_sim(encoder.encode(prefix + output), encoder.encode(given)).max())

    return {"sentence_similarity": average(samples, value)}
