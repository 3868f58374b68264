"""The head of a language model in chunks: logits (B, S, V) never stand in memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from trl.trainer.utils import add_fused_lm_head

from trainers.learning.rollouts import causal


def chunk_logits(model: Any) -> bool:
    """From now on `model(…, shift_labels=…, fused_lm_head=True)` gives log-probabilities of labels.

    Returns whether it does; found by trying. Not so where the head is more than a matrix (an
    adapter of its own, new tokens that are trained), or logits are changed in a way TRL is unaware
    of.
    """
    network = causal(model)
    if type(network.get_output_embeddings()) is not nn.Linear:
        return False
    ids = torch.arange(1, 5, device=network.device)[None]  # (1, 4)
    network.eval()  # no dropout
    with torch.no_grad():
        scores = network(ids, use_cache=False).logits.float().log_softmax(-1)  # (1, 4, V)
        add_fused_lm_head(network)
        chunked = network(ids, labels=ids, fused_lm_head=True).log_probs  # (1, 3)
    network.train()
    own = scores[:, :-1].gather(-1, ids[:, 1:, None])[..., 0]
    near = 1e-4 if network.dtype == torch.float32 else 5e-2
    if torch.allclose(own, chunked, near, near):
        return True
    del network.forward  # back to its class's own
    return False
