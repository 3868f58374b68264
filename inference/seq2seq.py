"""Encoder-decoders of `transformers`: texts rewritten, as questions of passages are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inference.batching import plan_by_length
from inference.encoder import UNLIMITED
from inference.errors import InputError
from inference.generation import config
from inference.load import (
    Loaded,
    load_config,
    load_network,
    load_tokenizer,
    max_positions,
    padded,
)
from inference.protocol import DType, Identity

DEFAULT_LENGTH = 512  # of models that state no limit: T5's positions are relative
ROWS_PER_PASS = 64  # hypotheses, where several are kept of each text
KEPT = (  # of the model's own settings: what its decoder begins and ends with
    *("decoder_start_token_id", "bos_token_id", "eos_token_id", "pad_token_id"),
    *("forced_bos_token_id", "forced_eos_token_id"),
)


def load_seq2seq(
    folders: Sequence[Path], identity: Identity, dtype: DType, device: str
) -> TransformerSeq2Seq:
    """From the model's folder and its adapters'. Raises InputError for another kind of model."""
    from transformers import AutoModelForSeq2SeqLM

    if not load_config(folders).is_encoder_decoder:
        message = f"{identity.name!r} is no encoder-decoder: one as T5 or BART is needed"
        raise InputError(message, "model")
    model = load_network(AutoModelForSeq2SeqLM, identity.name, folders, dtype, device)
    return TransformerSeq2Seq(model, load_tokenizer(folders[-1]), identity, device)


class TransformerSeq2Seq(Loaded):
    """An encoder-decoder with its tokenizer, on one device."""

    def __init__(self, model: Any, tokenizer: Any, identity: Identity, device: str) -> None:
        super().__init__(model, tokenizer, identity, device)
        stated = tokenizer.model_max_length < UNLIMITED or any(
            getattr(model.config, name, None) for name in ("max_position_embeddings", "n_positions")
        )
        self.max_length = max_positions(model.config, tokenizer) if stated else DEFAULT_LENGTH
        own = model.generation_config
        self.kept = {name: getattr(own, name, None) for name in KEPT}
        model.generation_config = config(**self.kept)  # its penalties and lengths are not ours

    def rewrite(
        self, texts: Sequence[str], max_new_tokens: int = 64, num_beams: int = 1
    ) -> tuple[list[str], list[bool]]:
        """What the model makes of each text, without special tokens, and whether the text was
        longer than it reads: such a one loses its end.

        Deterministic: greedy, or the best of `num_beams` hypotheses. Equal texts are read once, in
        batches of like length.
        """
        distinct = list(dict.fromkeys(texts))
        rows, cut = self._encode(distinct)
        made = [""] * len(rows)
        lengths = [len(row) for row in rows]
        most = max(ROWS_PER_PASS // num_beams, 1)
        for batch in plan_by_length(lengths, self.tokens_per_pass, most):
            written = self._pass([rows[index] for index in batch], max_new_tokens, num_beams)
            for index, text in zip(batch, written, strict=True):
                made[index] = text
        at = {text: index for index, text in enumerate(distinct)}
        return [made[at[text]] for text in texts], [cut[at[text]] for text in texts]

    def _encode(self, texts: Sequence[str]) -> tuple[list[list[int]], list[bool]]:
        if not texts:
            return [], []
        whole = self.tokenizer(list(texts), verbose=False)["input_ids"]
        cut = [len(ids) > self.max_length for ids in whole]
        options = {"truncation": True, "max_length": self.max_length, "verbose": False}
        rows = [
            self.tokenizer(text, **options)["input_ids"] if is_cut else ids
            for text, ids, is_cut in zip(texts, whole, cut, strict=True)
        ]
        return rows, cut

    def _pass(self, rows: Sequence[list[int]], max_new_tokens: int, num_beams: int) -> list[str]:
        """One right-padded batch of the encoder."""
        import torch

        pad = self.tokenizer.pad_token_id or 0
        ids, mask = padded(rows, pad, left=False, device=self.device)  # (B, T) each
        settings = config(
            **self.kept, max_new_tokens=max_new_tokens, num_beams=num_beams, do_sample=False
        )
        with torch.inference_mode():
            out = self.model.generate(  # (B, new)
                input_ids=ids, attention_mask=mask, generation_config=settings
            )
        return [
            str(text).strip()
            for text in self.tokenizer.batch_decode(
                out, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        ]
