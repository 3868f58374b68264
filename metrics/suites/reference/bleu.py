# needs: sacrebleu[ja,ko]==2.6.0
"""BLEU of sacrebleu, over all outputs together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metrics.suites.reference.corpus import of_corpus
from metrics.suites.reference.frame import Sample, Scores


def bleu(samples: Sequence[Sample], params: dict[str, Any]) -> Scores:
    """The corpus's score."""
    from sacrebleu.metrics import BLEU

    return {"bleu": of_corpus(BLEU(**params), samples)}
