# needs: bert-score==0.3.13
# needs: transformers<5
"""BERTScore of bert-score, a pair at a time, so that padding changes no number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metrics.suites.reference.frame import Sample, Scores, average, model

ONLY = {"dtype": "float32", "idf": False}


def bertscore(samples: Sequence[Sample], params: dict[str, Any]) -> Scores:
    """Precision, recall and F1, of each the best over the references."""
    from bert_score import BERTScorer
    from bert_score.utils import model2layers
    from transformers import AutoConfig

    name = model(params["model"])
    layers = params["layer"] or model2layers.get(params["model"])
    scorer = BERTScorer(
        model_type=name,
        num_layers=layers or AutoConfig.from_pretrained(name).num_hidden_layers,
        lang=params["language"],
        rescale_with_baseline=params["rescale_with_baseline"],
        batch_size=1,
    )

    def value(output: str, sample: Sample, at: int) -> float:
        given = [one for one in sample["references"] if one.strip()]
        if not output.strip() or not given:
            return 0.0  # bert-score cannot read a blank text
        return max(float(scorer.score([output], [one])[at][0]) for one in given)

    return {
        score: average(samples, lambda output, sample, at=at: value(output, sample, at))  # type: ignore[misc]
        for at, score in enumerate(("bertscore_p", "bertscore_r", "bertscore_f1"))
    }
