"""F1 of words, as SQuAD's own script counts it; `unicode` prepares texts of other languages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from metrics.suites.reference.frame import Sample, Scores, average
from metrics.text.normalization import normalize, words


def token_f1(samples: Sequence[Sample], params: dict[str, Any]) -> Scores:
    """F1 with the best reference."""
    how = params["normalization"]

    def bag(text: str) -> list[str]:
        return words(normalize(text, how), how == "unicode")

    def f1(output: list[str], reference: list[str]) -> float:
        shared = sum((Counter(output) & Counter(reference)).values())
        if shared == 0:
            return 0.0
        precision, recall = shared / len(output), shared / len(reference)
        return 2 * precision * recall / (precision + recall)

    def value(output: str, sample: Sample) -> float:
        return max(f1(bag(output), bag(reference)) for reference in sample["references"])

    return {"token_f1": average(samples, value)}
