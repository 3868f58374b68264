# needs: sacrebleu==2.6.0
"""CHRF of sacrebleu, over all outputs together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metrics.suites.reference.corpus import of_corpus
from metrics.suites.reference.frame import Sample, Scores


def chrf(samples: Sequence[Sample], params: dict[str, Any]) -> Scores:
    """The corpus's score."""
    from sacrebleu.metrics import CHRF

    return {"chrf": of_corpus(CHRF(**params), samples)}
