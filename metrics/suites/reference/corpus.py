"""What metrics of sacrebleu have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metrics.suites.reference.frame import Sample, pairs


def of_corpus(metric: Any, samples: Sequence[Sample]) -> float:
    """The value of all outputs together."""
    compared = list(pairs(samples))
    most = max(len(references) for _, references in compared)
    streams = [[(*refs, *[None] * most)[at] for _, refs in compared] for at in range(most)]
    return float(metric.corpus_score([output for output, _ in compared], streams).score)
