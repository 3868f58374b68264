"""How metrics read texts, or pairs of them, by a classifier with labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.batching import plan_by_length
from inference.protocol import LabelClassifier
from metrics.core.rows import Floats

MOST_ROWS = 128  # texts of one pass


@dataclass(frozen=True, slots=True)
class Read:
    """Of texts, in their order.

    shares  (n, labels) the labels' probabilities: of a model with `multi_label` each by itself
            (sigmoid), else together 1 (softmax)
    cut     (n,) whether the text was longer than the model reads
    """

    shares: Floats
    cut: NDArray[np.bool_]


def read(texts: Sequence[tuple[str, str | None]], model: LabelClassifier) -> Read:
    """What the model says of texts or pairs; equal ones are read once, in batches of like
    length."""
    distinct = list(dict.fromkeys(texts))
    encoded, cut = model.encode(distinct)
    logits = np.zeros((len(distinct), len(model.labels)))
    lengths = [len(ids) for ids, _ in encoded]
    for batch in plan_by_length(lengths, model.tokens_per_pass, MOST_ROWS):
        logits[batch] = model.logits([encoded[index] for index in batch])
    at = {text: index for index, text in enumerate(distinct)}
    back = np.array([at[text] for text in texts], np.int64)
    shares = sigmoid(logits) if model.multi_label else softmax(logits)
    return Read(shares[back], np.array(cut, np.bool_)[back])


def softmax(logits: Floats) -> Floats:
    """(n, labels) probabilities of which one is right."""
    raised = np.exp(logits - logits.max(1, keepdims=True, initial=-np.inf))
    return np.asarray(raised / raised.sum(1, keepdims=True), np.float64)


def sigmoid(logits: Floats) -> Floats:
    """(n, labels) probabilities of each."""
    small = np.exp(-np.abs(logits))  # does not overflow
    return np.asarray(np.where(logits >= 0, 1.0, small) / (1.0 + small), np.float64)
