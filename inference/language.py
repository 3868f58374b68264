"""Causal language models of `transformers`: log-probabilities and generation, in padded batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference import generation
from inference.errors import InputError
from inference.generation import Continuation
from inference.load import (
    load_network,
    load_tokenizer,
    max_positions,
    padded,
    tokens_per_pass,
)
from inference.protocol import DType, Generation, Identity
from inference.writer import Writer

CHUNK_LOGITS = 1 << 25  # logits that stand in memory at once: 128 MiB in float32


def load_language_model(
    folders: Sequence[Path], identity: Identity, dtype: DType, device: str
) -> TransformerLanguageModel:
    """From the model's folder and its adapters'. Raises InputError for another kind of model."""
    from transformers import AutoModelForCausalLM

    model = load_network(AutoModelForCausalLM, identity.name, folders, dtype, device)
    return TransformerLanguageModel(model, load_tokenizer(folders[-1]), identity, device)


class TransformerLanguageModel(Writer):
    """See `inference.protocol.LanguageModel`."""

    def __init__(self, model: Any, tokenizer: Any, identity: Identity, device: str) -> None:
        super().__init__(tokenizer, identity)
        self.model = model
        self.device = device
        self.max_length = max_positions(model.config, tokenizer)
        self.tokens_per_pass = tokens_per_pass(device)
        stops = model.generation_config.eos_token_id  # several where turns end differently
        self.stop_ids: int | list[int] | None = self.eos_id if stops is None else stops
        model.generation_config = generation.config()  # its own defaults would fill in ours
        self.splits = self._splits()
        self.drafting: Any = None  # modules that predict further ahead, once asked for
        self.shares: bool | None = None  # a context's keys among labels; None: not tried yet

    def logprobs(self, batch: Sequence[tuple[list[int], list[int]]]) -> list[NDArray[np.float64]]:
        """Natural-log probabilities of the continuation's tokens, for each (context, continuation).

        One right-padded pass up to the last hidden states; only positions that predict a
        continuation's token go through the vocabulary, some at a time.
        """
        import torch

        if not batch:
            return []
        for context, continuation in batch:
            if not context:
                raise ValueError("the context is empty: the first token has no probability")
            if len(context) + len(continuation) - 1 > self.max_length:
                raise InputError(
                    f"{len(context) + len(continuation) - 1} tokens, and {self.identity.name!r} "
                    f"sees {self.max_length} at most"
                )
        rows = [[*context, *continuation][:-1] or context for context, continuation in batch]
        ids, mask = padded(rows, self.pad_id, left=False, device=self.device)  # (B, T)
        counts = [len(continuation) for _, continuation in batch]
        row = np.repeat(np.arange(len(batch)), counts)  # (N,) which sequence predicts
        column = np.concatenate(
            [len(context) - 1 + np.arange(len(continuation)) for context, continuation in batch]
        )
        target = [token for _, continuation in batch for token in continuation]
        with torch.inference_mode():
            places = (
                torch.as_tensor(row, dtype=torch.long, device=self.device),
                torch.as_tensor(column, dtype=torch.long, device=self.device),
            )
            targets = torch.tensor(target, dtype=torch.long, device=self.device)  # (N,)
            found = self._token_logprobs(ids, mask, places, targets)  # (N,)
        flat = found.double().cpu().numpy()
        return [np.asarray(part, np.float64) for part in np.split(flat, np.cumsum(counts)[:-1])]

    def _token_logprobs(self, ids: Any, mask: Any, places: tuple[Any, Any], targets: Any) -> Any:
        """(N,) log-probabilities of `targets` as seen from `places` (rows, columns)."""
        import torch

        found, at = [], 0
        for logits in self.pieces(ids, mask, places):  # (n, V), in order
            wanted = targets[at : at + len(logits)]
            scores = logits.float()
            chosen = scores.gather(-1, wanted[:, None])[:, 0]
            found.append(chosen - torch.logsumexp(scores, dim=-1))
            at += len(wanted)
        return torch.cat(found) if found else targets.new_zeros(0)

    def pieces(self, ids: Any, mask: Any, places: tuple[Any, Any]) -> Iterator[Any]:
        """Logits at `places`, no more than CHUNK_LOGITS at once where the head can be split off."""
        vocabulary = int(self.model.config.get_text_config().vocab_size)
        if self.splits:
            hidden = self.model.base_model(ids, attention_mask=mask, use_cache=False)[0]
            for part in hidden[places].split(max(CHUNK_LOGITS // vocabulary, 1)):  # (n, D)
                yield self.logits(part)
            return
        rows, columns = places  # rows ascend
        together = max(CHUNK_LOGITS // (ids.shape[1] * vocabulary), 1)
        for first in range(0, len(ids), together):
            some = slice(first, first + together)
            logits = self.model(ids[some], attention_mask=mask[some], use_cache=False).logits
            here = (rows >= first) & (rows < first + together)
            yield logits[rows[here] - first, columns[here]]

    def logits(self, hidden: Any) -> Any:
        """(n, V) from (n, D): the head, and what configurations do to its logits."""
        import torch

        config = self.model.config.get_text_config()
        logits = self.model.get_output_embeddings()(hidden)
        if divisor := getattr(config, "logits_scaling", None):  # Granite
            logits = logits / divisor
        if factor := getattr(config, "logit_scale", None):  # Cohere
            logits = logits * factor
        if cap := getattr(config, "final_logit_softcapping", None):  # Gemma 2
            logits = torch.tanh(logits / cap) * cap
        return logits

    def _splits(self) -> bool:
        """Whether body and head one after the other are this model's forward pass: tried out."""
        import torch

        if self.model.get_output_embeddings() is None or self.model.base_model is self.model:
            return False
        vocabulary = int(self.model.config.get_text_config().vocab_size)
        ids = torch.arange(1, 9, device=self.device)[None] % vocabulary  # (1, 8)
        with torch.inference_mode():
            own = self.model(ids, use_cache=False).logits[0].float()
            split = self.logits(self.model.base_model(ids, use_cache=False)[0][0]).float()
        tolerance = 1e-4 if self.model.dtype == torch.float32 else 5e-2
        return own.shape == split.shape and torch.allclose(own, split, tolerance, tolerance)

    def generate(
        self,
        prompts: Sequence[str],
        options: Generation,
        progress: Callable[[int], None] | None = None,
    ) -> list[list[str]]:
        """`options.num_outputs` texts a prompt, without the prompt, cut before a stop string.

        Prompts that leave no room for `max_new_tokens` lose their beginning.
        """
        rows = self.rows(prompts, options)
        return [[one.text for one in each] for each in self.generate_rows(rows, options, progress)]

    def generate_rows(
        self,
        rows: Sequence[list[int]],
        options: Generation,
        progress: Callable[[int], None] | None = None,
    ) -> list[list[Continuation]]:
        """`options.num_outputs` continuations of each row of token ids; see `generate`."""
        return generation.generate(self, rows, options, progress)
