"""Exact match, as SQuAD's own script counts it; `unicode` prepares texts of other languages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metrics.suites.reference.frame import Sample, Scores, average
from metrics.text.normalization import normalize


def exact_match(samples: Sequence[Sample], params: dict[str, Any]) -> Scores:
    """Whether the output equals a reference, once both are normalised."""
    how = params["normalization"]

    def value(output: str, sample: Sample) -> float:
        given = {normalize(one, how) for one in sample["references"]}
        return float(normalize(output, how) in given)

    return {"exact_match": average(samples, value)}
