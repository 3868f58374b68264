"""A policy, its value model and its reference: log-probabilities and values of completions.

Sequences are packed as `trainers.learning.rollouts` has them. Action t is the token at
`prompts + t`; the state it is taken in ends one position before.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from trainers.job.footprint import CHUNK_LOGITS
from trainers.job.options import Lora
from trainers.learning.models import adapted_layers
from trainers.learning.rollouts import Completions, causal, take


class ActorCritic(nn.Module):
    """The policy; a value model on a backbone of its own with a scalar head; a frozen reference.

    Full fine-tuning holds three copies of the weights: policy, value model, reference. With an
    adapter there is one: the value model shares the frozen weights and has an adapter of its own,
    and the reference is the policy with its adapter disabled.

    Dropout is off throughout: with it, π_new / π_old is not 1 before the first step.
    """

    def __init__(self, policy: Any, adapter: Lora | None, temperature: float) -> None:
        super().__init__()
        self.policy = policy
        self.temperature = temperature
        self.splits = splits(causal(policy))
        self.value = _value_backbone(policy, adapter)
        width = int(causal(policy).config.get_text_config().hidden_size)
        parameter = next(policy.parameters())
        self.head = nn.Linear(width, 1, device=parameter.device)
        nn.init.zeros_(self.head.weight)  # V = 0 at first: no noise in the first advantages
        nn.init.zeros_(self.head.bias)
        # in a tuple: neither trained, nor saved, nor wrapped
        self._reference = () if adapter else (copy.deepcopy(policy).eval().requires_grad_(False),)
        self.train(False)

    def train(self, mode: bool = True) -> ActorCritic:
        """Stays as it is, whatever `mode`: dropout is off."""
        return super().train(False)

    def activation_checkpointing_enable(self, **_: Any) -> None:
        """Layers are computed again in the backward pass. transformers' own way to have it so works
        in training mode alone, in which there would be dropout."""
        for backbone in (self.policy, self.value):
            for layer in backbone.modules():
                if isinstance(layer, GradientCheckpointingLayer):
                    layer.forward = _again(layer.forward)

    def forward(self, ids: Tensor, prompts: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T) each: log-probabilities and entropies in nats, and values; 0 where masked."""
        logprobs, entropy = self._actions(self.policy, ids, prompts, mask)
        hidden = self.value(ids, attention_mask=_attended(ids, prompts, mask), use_cache=False)[0]
        with torch.autocast(ids.device.type, enabled=False):  # values in bfloat16 have two digits
            values = self.head(hidden[_states(prompts, mask)].float())[:, 0]  # (A,)
        return logprobs, entropy, _spread(values, mask)

    @torch.no_grad()
    def reference(self, ids: Tensor, prompts: Tensor, mask: Tensor) -> Tensor:
        """(B, T) log-probabilities under the policy that training began with."""
        model, without = self.policy, nullcontext()
        if self._reference:
            model = self._reference[0].to(ids.device)
        else:
            without = self.policy.disable_adapter()
        with without:
            return self._actions(model, ids, prompts, mask)[0]

    def _actions(
        self, model: Any, ids: Tensor, prompts: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        return token_logprobs(model, ids, prompts, mask, self.temperature, self.splits)

    def evaluate(self, written: Completions, batch_size: int) -> Completions:
        """(N, T) each, before anything is learned: `logprobs` and `values` of the policy that has
        written the completions, `reference` log-probabilities."""
        mask = written["mask"]
        names = ("logprobs", "values", "reference")
        whole = {name: torch.zeros(mask.shape, device=mask.device) for name in names}
        for rows in torch.split(torch.arange(len(mask), device=mask.device), batch_size):
            batch = take(written, rows)
            with torch.no_grad():
                logprobs, _, values = self(**batch)
            parts = (logprobs, values, self.reference(**batch))
            for name, part in zip(names, parts, strict=True):
                whole[name][rows, : part.shape[1]] = part
        return whole

    def critic(self) -> dict[str, Tensor]:
        """The trained weights of the value model, for a checkpoint."""
        return {
            name: parameter.detach()
            for name, parameter in self.named_parameters()
            if not name.startswith("policy.") and parameter.requires_grad
        }


def _again(forward: Callable[..., Any]) -> Callable[..., Any]:
    """The forward pass, kept by its input alone where a backward pass follows."""

    @wraps(forward)
    def kept(*inputs: Any, **named: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*inputs, **named)
        return checkpoint(forward, *inputs, use_reentrant=False, **named)

    return kept


def token_logprobs(
    model: Any, ids: Tensor, prompts: Tensor, mask: Tensor, temperature: float, split: bool = False
) -> tuple[Tensor, Tensor]:
    """(B, T) each: log-probability of every action and entropy of its distribution, in nats.

    Where body and head `split`, only states that an action is taken in go through the vocabulary,
    some at a time, and again in the backward pass: (B, T, V) never stands in memory.
    """
    network = causal(model)
    rows, columns = _states(prompts, mask)
    actions = ids[rows, columns + 1]  # (A,)
    attended = _attended(ids, prompts, mask)
    if split:
        head = network.get_output_embeddings()
        inner = network.base_model(ids, attention_mask=attended, use_cache=False)[0]  # (B, S, D)
    else:
        head = nn.Identity()
        inner = network(ids, attention_mask=attended, use_cache=False).logits  # (B, S, V)
    size = max(CHUNK_LOGITS // int(network.config.get_text_config().vocab_size), 1)
    parts = [
        checkpoint(_logprobs, head, states, chunk, temperature, use_reentrant=False)
        for states, chunk in zip(
            torch.split(inner[rows, columns], size), torch.split(actions, size), strict=True
        )
    ]
    logprobs, entropy = (torch.cat(chunks) for chunks in zip(*parts, strict=True))
    return _spread(logprobs, mask), _spread(entropy, mask)


def _logprobs(
    head: nn.Module, states: Tensor, actions: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """(A,) log-probabilities of `actions` and (A,) entropies, from the states (A, D)."""
    scores = torch.log_softmax(head(states).float() / temperature, dim=-1)  # (A, V)
    return scores.gather(-1, actions[:, None])[:, 0], -(scores.exp() * scores).sum(-1)


def splits(network: Any) -> bool:
    """Whether body and head, one after the other, give the model's own logits; found by trying.

    Not so where logits are scaled or capped (Gemma 2, Cohere, Granite): then (B, S, V) does stand
    in memory.
    """
    head = network.get_output_embeddings()
    if head is None or network.base_model is network:
        return False
    ids = torch.arange(1, 5, device=network.device)[None]  # (1, 4)
    with torch.no_grad():
        own = network(ids, use_cache=False).logits.float()
        split = head(network.base_model(ids, use_cache=False)[0]).float()
    near = 1e-4 if network.dtype == torch.float32 else 5e-2
    return own.shape == split.shape and torch.allclose(own, split, near, near)


def _value_backbone(policy: Any, adapter: Lora | None) -> Any:
    """The policy's backbone again: a copy, or with an adapter the same frozen weights."""
    if adapter is None:
        return copy.deepcopy(policy.base_model)
    from peft import LoraConfig, get_peft_model

    shared = {id(parameter): parameter for parameter in policy.parameters()}
    network = copy.deepcopy(policy, shared).unload()
    targets = adapted_layers(network, adapter)
    config = LoraConfig(r=adapter.r, lora_alpha=adapter.alpha, target_modules=targets)
    return get_peft_model(network.base_model, config)


def _states(prompts: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns (A,) of the positions that predict an action."""
    rows, steps = mask.nonzero(as_tuple=True)
    return rows, prompts[rows] - 1 + steps


def _attended(ids: Tensor, prompts: Tensor, mask: Tensor) -> Tensor:
    """(B, S) attention mask: 1 up to the completion's end."""
    ends = prompts + mask.sum(1)
    return (torch.arange(ids.shape[1], device=ids.device) < ends[:, None]).long()


def _spread(values: Tensor, mask: Tensor) -> Tensor:
    """(A,) -> (B, T): zeros where masked."""
    return torch.zeros(mask.shape, dtype=values.dtype, device=values.device).masked_scatter(
        mask, values
    )
