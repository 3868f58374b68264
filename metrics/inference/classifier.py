"""Sequence classifiers of `transformers` with one output: reward models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.evidence.errors import InputError
from metrics.inference.loading import load_network, load_tokenizer, max_positions, padded
from metrics.inference.protocol import DType, Identity


def load_classifier(
    folder: Path, identity: Identity, dtype: DType, device: str
) -> TransformerClassifier:
    """Raises InputError unless the folder holds a sequence classifier with one output."""
    from transformers import AutoConfig, AutoModelForSequenceClassification

    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if config.num_labels != 1:
        raise InputError(
            f"{identity.name!r} has {config.num_labels} outputs; a reward model has one "
            "(num_labels=1)",
            "model",
        )
    model = load_network(AutoModelForSequenceClassification, folder, dtype, device)
    return TransformerClassifier(model, load_tokenizer(folder), identity, device)


class TransformerClassifier:
    """See `metrics.inference.protocol.Classifier`."""

    def __init__(self, model: Any, tokenizer: Any, identity: Identity, device: str) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.identity = identity
        self.device = device
        self.max_length = max_positions(model.config, tokenizer)
        self.has_template = bool(tokenizer.chat_template)

    def encode(
        self, pairs: Sequence[tuple[str | None, str]], chat: bool | None = None
    ) -> list[list[int]]:
        """Token ids of (prompt, output), at most `max_length`.

        With a chat template (`chat` None: where the tokenizer has one) the turns of user and
        assistant; without a prompt, the assistant's alone. Otherwise prompt and output, the one
        right before the other for decoders, as a pair of segments for encoders. What is too long
        loses its beginning, since a decoder judges at the last token and the output comes last;
        an encoder keeps its first special token.
        """
        if chat and not self.has_template:
            raise InputError(f"{self.identity.name!r} has no chat template", "chat")
        if chat is not False and self.has_template:
            return [self._cut(self._turns(prompt, output)) for prompt, output in pairs]
        return [self._cut(self._plain(prompt, output)) for prompt, output in pairs]

    def _turns(self, prompt: str | None, output: str) -> list[int]:
        turns = [] if prompt is None else [{"role": "user", "content": prompt}]
        turns.append({"role": "assistant", "content": output})
        text = self.tokenizer.apply_chat_template(turns, tokenize=False)
        return self._ids(text, special=False)

    def _plain(self, prompt: str | None, output: str) -> list[int]:
        if prompt is None:
            return self._ids(output)
        if self.tokenizer.sep_token_id is not None:
            return self._ids(prompt, output)
        return self._ids(prompt + output)

    def _ids(self, *texts: str, special: bool = True) -> list[int]:
        found = self.tokenizer(*texts, add_special_tokens=special, verbose=False)["input_ids"]
        ids = [int(token) for token in found]
        if not ids:
            ids = [self.tokenizer.eos_token_id or 0]  # an empty text still has one position
        return ids

    def _cut(self, ids: list[int]) -> list[int]:
        if len(ids) <= self.max_length:
            return ids
        first = ids[:1] if ids[0] == self.tokenizer.cls_token_id else []
        return first + ids[len(ids) - self.max_length + len(first) :]

    def scores(self, batch: Sequence[list[int]]) -> NDArray[np.float64]:
        """(len(batch),) one raw logit each; one right-padded pass.

        Decoders of transformers judge at the rightmost token that is not the configuration's pad
        token. Where it names none, one is chosen that ends no sequence of the batch, so that
        it is the last real token whose logit counts, as it would be without padding.
        """
        import torch

        if not batch:
            return np.zeros(0)
        config = self.model.config.get_text_config()
        own = config.pad_token_id
        ends = {row[-1] for row in batch}
        pad = own if own is not None else next(i for i in range(len(ends) + 1) if i not in ends)
        ids, mask = padded(batch, pad, left=False, device=self.device)  # (B, T)
        try:
            config.pad_token_id = pad
            with torch.inference_mode():
                logits = self.model(input_ids=ids, attention_mask=mask).logits  # (B, 1)
        finally:
            config.pad_token_id = own
        return np.asarray(logits[:, 0].double().cpu().numpy(), np.float64)
