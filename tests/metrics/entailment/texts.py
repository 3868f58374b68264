"""Sources with outputs in several languages, and SummaC's arithmetic by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

SOURCES = {
    "en": "Dr. House came at noon. He left the hospital late! The rain went on.",
    "ru": "А. С. Пушкин родился в 1799 г. в Москве. Он писал стихи. Шёл дождь.",
    "zh": "今天天气很好。我们去公园！",
    "ar": "هذا كتاب جديد. هل هو جيد؟ نعم.",
    "emoji": "It works 🎉 at last. 🙂 Good 👍!",
}
OUTPUTS = {
    "en": "House came at noon. It rained.",
    "ru": "Пушкин родился в Москве. Он не писал стихов.",
    "zh": "天气不错。我们在家。",
    "ar": "الكتاب جديد.",
    "emoji": "It works 🎉. Bad 👎!",
}


def grid(folder: Path, premises: list[str], hypotheses: list[str]) -> Any:
    """(3, premises, hypotheses) probabilities of entailment, contradiction, neutral, pair by pair,
    as SummaC's image has them."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    order = [model.config.label2id[name] for name in ("entailment", "contradiction", "neutral")]
    found = np.zeros((3, len(premises), len(hypotheses)))
    for row, premise in enumerate(premises):
        for column, hypothesis in enumerate(hypotheses):
            ids = tokenizer(premise, hypothesis, return_tensors="pt", truncation=True)
            with torch.no_grad():
                shares = torch.softmax(model(**ids).logits[0].double(), -1)
            found[:, row, column] = shares[order].numpy()
    return found
