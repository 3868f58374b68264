# needs: nltk==3.10.4
# needs: regex
"""Self-BLEU by NLTK's sentence_bleu: quadratic in the number of outputs, so be patient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metrics.suites.reference.frame import Sample, Scores, pairs
from metrics.text.tokens import cutter


def self_bleu(samples: Sequence[Sample], params: dict[str, Any]) -> Scores:
    """The mean over outputs of BLEU with all others as references."""
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    cut, order = cutter(params["tokenizer"], params["lowercase"]), params["max_order"]
    texts = [list(cut(output)) for output, _ in pairs(samples)]
    texts = [text for text in texts if text]
    smooth = SmoothingFunction().method1
    weights = (1 / order,) * order
    found = [
        float(sentence_bleu(texts[:at] + texts[at + 1 :], text, weights, smooth))
        for at, text in enumerate(texts)
    ]
    return {"self_bleu": sum(found) / len(found)}
