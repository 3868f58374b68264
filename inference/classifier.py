"""Sequence classifiers of `transformers` with one output: reward models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.errors import InputError
from inference.load import (
    Loaded,
    load_config,
    load_network,
    load_tokenizer,
    max_positions,
    padded,
)
from inference.protocol import DType, Identity


def load_classifier(
    folders: Sequence[Path], identity: Identity, dtype: DType, device: str
) -> TransformerClassifier:
    """From the model's folder and its adapters'. Raises InputError unless it has one output."""
    from transformers import AutoModelForSequenceClassification

    outputs = load_config(folders).num_labels
    if outputs != 1:
        raise InputError(
            f"{identity.name!r} has {outputs} outputs; a reward model has one (num_labels=1)",
            "model",
        )
    model = load_network(AutoModelForSequenceClassification, identity.name, folders, dtype, device)
    return TransformerClassifier(model, load_tokenizer(folders[-1]), identity, device)


class TransformerClassifier(Loaded):
    """See `inference.protocol.Classifier`."""

    def __init__(self, model: Any, tokenizer: Any, identity: Identity, device: str) -> None:
        super().__init__(model, tokenizer, identity, device)
        self.max_length = max_positions(model.config, tokenizer)
        self.has_template = bool(tokenizer.chat_template)

    def encode(
        self, pairs: Sequence[tuple[str | None, str]], chat: bool | None = None
    ) -> list[list[int]]:
        """Token ids of (prompt, output), however many.

        With a chat template (`chat` None: where the tokenizer has one) the turns of user and
        assistant; without a prompt, the assistant's alone. Otherwise prompt and output, the one
        right before the other for decoders, as a pair of segments for encoders.
        """
        if chat and not self.has_template:
            raise InputError(f"{self.identity.name!r} has no chat template", "params.chat")
        if chat is not False and self.has_template:
            return [self._turns(prompt, output) for prompt, output in pairs]
        return [self._plain(prompt, output) for prompt, output in pairs]

    def cut(self, ids: list[int], max_length: int) -> list[int]:
        """The last `max_length` ids: a decoder judges at the last token, and the output is last.

        An encoder keeps its first special token, at which it judges.
        """
        if len(ids) <= max_length:
            return ids
        first = ids[:1] if ids[0] == self.tokenizer.cls_token_id else []
        return first + ids[len(ids) - max_length + len(first) :]

    def _turns(self, prompt: str | None, output: str) -> list[int]:
        from jinja2 import TemplateError

        turns = [] if prompt is None else [{"role": "user", "content": prompt}]
        turns.append({"role": "assistant", "content": output})
        try:
            text = self.tokenizer.apply_chat_template(turns, tokenize=False)
        except TemplateError as error:  # many want a user's turn first
            raise InputError(
                f"the chat template of {self.identity.name!r} refuses a sample "
                f"{'without' if prompt is None else 'with'} a prompt: {error}",
                "samples.prompt",
            ) from error
        return self._ids(text, special=False)

    def _plain(self, prompt: str | None, output: str) -> list[int]:
        if prompt is None:
            return self._ids(output)
        if self.tokenizer.cls_token_id is not None:
            return self._ids(prompt, output)
        return self._ids(prompt + output)

    def _ids(self, *texts: str, special: bool = True) -> list[int]:
        found = self.tokenizer(*texts, add_special_tokens=special, verbose=False)["input_ids"]
        return [int(token) for token in found]

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
