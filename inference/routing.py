"""Mixtures of experts: which experts the tokens of texts are sent to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inference.batching import plan_by_length
from inference.errors import InputError
from inference.load import padded

if TYPE_CHECKING:
    from inference.language import TransformerLanguageModel

BATCH_ROWS = 128


def expert_loads(
    language: TransformerLanguageModel, rows: Sequence[tuple[list[int], list[int]]]
) -> NDArray[np.int64]:
    """(rows, layers, experts) how many of each row's tokens each expert of each layer is sent.

    rows  (context, tokens) each; the context is read and not counted

    Layers are those that have experts, in order. Raises InputError for a model without any.
    """
    import torch

    named = language.model.named_modules()
    experts = [
        one for name, one in named if name.endswith(".experts") and hasattr(one, "num_experts")
    ]
    if not experts:
        name = language.identity.name
        raise InputError(f"{name!r} is no mixture of experts", "params.model")
    width = max(int(module.num_experts) for module in experts)
    loads = np.zeros((len(rows), len(experts), width), np.int64)
    whole = [[*context, *tokens] for context, tokens in rows]
    chosen: list[Any] = []  # of a pass: (tokens of the batch, k) a layer
    hooks = [module.register_forward_pre_hook(_noted(chosen)) for module in experts]
    try:
        for batch in plan_by_length(list(map(len, whole)), language.tokens_per_pass, BATCH_ROWS):
            some = [whole[at] for at in batch]
            ids, mask = padded(some, language.pad_id, False, language.device)  # (B, T)
            chosen.clear()
            with torch.inference_mode():
                language.model.base_model(ids, attention_mask=mask, use_cache=False)
            for layer, found in enumerate(chosen):
                sent = found.reshape(*ids.shape, -1).cpu().numpy()  # (B, T, k)
                for place, at in enumerate(batch):
                    own = sent[place, len(rows[at][0]) : len(whole[at])]
                    loads[at, layer] = np.bincount(own.ravel(), minlength=width)[:width]
    finally:
        for hook in hooks:
            hook.remove()
    return loads


def _noted(chosen: list[Any]) -> Callable[..., None]:
    """Notes what the experts of transformers 5 are called with: states, experts, weights."""

    def note(module: Any, given: tuple[Any, ...]) -> None:
        if len(given) < 2 or given[1].dtype.is_floating_point:
            raise InputError(f"{type(module).__name__} does not say what it routes", "params.model")
        chosen.append(given[1])

    return note
