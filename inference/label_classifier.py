"""Sequence classifiers of `transformers` whose outputs have names: entailment, toxicity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.encoder import positions_of
from inference.errors import InputError
from inference.load import (
    Loaded,
    load_config,
    load_network,
    load_tokenizer,
    padded,
)
from inference.protocol import DType, Encoded, Identity

MULTI_LABEL = "multi_label_classification"  # transformers' `problem_type`


def load_labels(
    folders: Sequence[Path], identity: Identity, dtype: DType, device: str
) -> TransformerLabels:
    """From the model's folder and its adapters'.

    Raises InputError where it has one output that is no label, as of reward models.
    """
    from transformers import AutoModelForSequenceClassification

    config = load_config(folders)
    if config.num_labels < 2 and config.problem_type != MULTI_LABEL:
        raise InputError(f"{identity.name!r} has one output, and labels are needed", "model")
    model = load_network(AutoModelForSequenceClassification, identity.name, folders, dtype, device)
    return TransformerLabels(model, load_tokenizer(folders[-1]), identity, device)


class TransformerLabels(Loaded):
    """See `inference.protocol.LabelClassifier`."""

    def __init__(self, model: Any, tokenizer: Any, identity: Identity, device: str) -> None:
        super().__init__(model, tokenizer, identity, device)
        names = model.config.id2label
        self.labels = tuple(str(names[at]) for at in range(model.config.num_labels))
        self.multi_label = model.config.problem_type == MULTI_LABEL
        self.max_length = positions_of(tokenizer, model)

    def encode(self, pairs: Sequence[tuple[str, str | None]]) -> tuple[list[Encoded], list[bool]]:
        """See the protocol. Special tokens and segments are the tokenizer's."""
        whole = self._ids(pairs)
        cut = [len(ids) > self.max_length for ids, _ in whole]
        long = [pair for pair, is_cut in zip(pairs, cut, strict=True) if is_cut]
        shorter = iter(self._ids(long, truncation="longest_first", max_length=self.max_length))
        return [
            next(shorter) if is_cut else one for one, is_cut in zip(whole, cut, strict=True)
        ], cut

    def _ids(self, pairs: Sequence[tuple[str, str | None]], **options: Any) -> list[Encoded]:
        if not pairs:
            return []
        first = [one for one, _ in pairs]
        second = None if pairs[0][1] is None else [two for _, two in pairs]
        found = self.tokenizer(first, second, verbose=False, **options)
        segments = found.get("token_type_ids") or [None] * len(first)
        return list(zip(found["input_ids"], segments, strict=True))

    def logits(self, batch: Sequence[Encoded]) -> NDArray[np.float64]:
        """(len(batch), len(labels)) raw logits; one right-padded pass."""
        import torch

        if not batch:
            return np.zeros((0, len(self.labels)))
        pad = self.model.config.get_text_config().pad_token_id
        if pad is None and len(batch) > 1:  # where to read a row's logits would be unknown
            return np.concatenate([self.logits([one]) for one in batch])
        ids, mask = padded([one for one, _ in batch], pad or 0, left=False, device=self.device)
        inputs = {"input_ids": ids, "attention_mask": mask}  # (B, T) each
        segments = [two for _, two in batch if two is not None]
        if segments:
            inputs["token_type_ids"], _ = padded(segments, 0, left=False, device=self.device)
        with torch.inference_mode():
            found = self.model(**inputs).logits  # (B, labels)
        return np.asarray(found.double().cpu().numpy(), np.float64)
