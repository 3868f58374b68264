# needs: nltk==3.10.4
# needs: regex
"""GLEU of NLTK."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metrics.suites.reference.frame import Sample, Scores, pairs
from metrics.text.tokens import cutter


def gleu(samples: Sequence[Sample], params: dict[str, Any]) -> Scores:
    """The value of all outputs together."""
    from nltk.translate.gleu_score import corpus_gleu

    cut = cutter(params["tokenizer"], params["lowercase"])
    compared = [(cut(output), [*map(cut, references)]) for output, references in pairs(samples)]
    references = [one for _, one in compared]
    outputs = [one for one, _ in compared]
    return {"gleu": float(corpus_gleu(references, outputs, max_len=params["max_order"]))}
