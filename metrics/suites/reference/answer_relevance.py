# needs: sentence-transformers==6.2.0
"""The cosine of question and answer, by sentence-transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metrics.suites.reference.embedder import embedder
from metrics.suites.reference.frame import Sample, Scores, average

ONLY = {"dtype": "float32"}


def answer_relevance(samples: Sequence[Sample], params: dict[str, Any]) -> Scores:
    """The cosine; texts without letter or digit are not measured."""
    from sentence_transformers.util import cos_sim

    encoder = embedder(params["model"])

    def value(output: str, sample: Sample) -> float | None:
        texts = [sample["prompt"], output]
        if not all(any(map(str.isalnum, text)) for text in texts):
            return None
        question = encoder.encode(params["question_prefix"] + texts[0])
        return float(cos_sim(question, encoder.encode(params["answer_prefix"] + output)))

    return {"answer_relevance": average(samples, value)}
