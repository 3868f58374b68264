"""A policy, its value model and its reference: log-probabilities and values of completions.

Sequences are packed as `trainers.learning.rollouts` has them. Action t is the token at
`prompts + t`; the state it is taken in ends one position before.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from trainers.job.footprint import CHUNK_LOGITS
from trainers.job.options import Lora
from trainers.learning.critics import Critic, of_policy
from trainers.learning.kl import Kl
from trainers.learning.rollouts import Completions, causal, take


class ActorCritic(nn.Module):
    """The policy; a value model on a backbone of its own with a scalar head; a frozen reference.

    critic  what the value model begins as; None: the policy's backbone under a head of zeros
    kl      what `evaluate` and `forward` give of the KL over the whole vocabulary

    Full fine-tuning holds three copies of the weights: policy, value model, reference. With an
    adapter there is one: the value model shares the frozen weights and has an adapter of its own,
    and the reference is the policy with its adapter disabled.

    Dropout is off throughout: with it, π_new / π_old is not 1 before the first step.
    """

    def __init__(
        self,
        policy: Any,
        adapter: Lora | None,
        temperature: float,
        critic: Critic | None = None,
        kl: Kl = "sampled",
    ) -> None:
        super().__init__()
        self.policy = policy
        self.temperature = temperature
        self.kl = kl
        self.splits = splits(causal(policy))
        self.value, self.head = critic or of_policy(policy, adapter)
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

    def forward(
        self, ids: Tensor, prompts: Tensor, mask: Tensor, divergence: bool = False
    ) -> tuple[Tensor, ...]:
        """(B, T) each: log-probabilities and entropies in nats, and values; with `divergence` the
        exact KL to the reference, too; 0 where masked."""
        head, states = action_states(self.policy, ids, prompts, mask, self.splits)
        rows, columns = _states(prompts, mask)
        actions = ids[rows, columns + 1]  # (A,)
        size = chunk_size(self.policy)
        found = _chunked(partial(_logprobs, head, self.temperature), size, states, actions)
        hidden = self.value(ids, attention_mask=_attended(ids, prompts, mask), use_cache=False)[0]
        with torch.autocast(ids.device.type, enabled=False):  # values in bfloat16 have two digits
            found += (self.head(hidden[rows, columns].float())[:, 0],)
        if divergence:
            with torch.no_grad(), self._as_reference() as reference:
                other, theirs = action_states(reference, ids, prompts, mask, self.splits)
            found += _chunked(partial(self._kl, head, other), max(size // 2, 1), states, theirs)
        return tuple(_spread(values, mask) for values in found)

    def _kl(
        self, head: nn.Module, other: nn.Module, states: Tensor, theirs: Tensor
    ) -> tuple[Tensor]:
        """(A,) KL over the vocabulary, of the policy's states (A, D) and the reference's."""
        scores = torch.log_softmax(head(states).float() / self.temperature, dim=-1)  # (A, V)
        with torch.no_grad(), self._as_reference():
            known = torch.log_softmax(other(theirs).float() / self.temperature, dim=-1)
        if self.kl == "exact_from_reference":
            return ((known.exp() * (known - scores)).sum(-1),)
        return ((scores.exp() * (scores - known)).sum(-1),)

    @torch.no_grad()
    def reference(self, ids: Tensor, prompts: Tensor, mask: Tensor) -> Tensor:
        """(B, T) log-probabilities under the policy that training began with."""
        with self._as_reference() as model:
            return token_logprobs(model, ids, prompts, mask, self.temperature, self.splits)[0]

    @contextmanager
    def _as_reference(self) -> Iterator[Any]:
        """The model that training began with; the policy's adapter is off meanwhile."""
        if self._reference:
            yield self._reference[0].to(next(self.policy.parameters()).device)
        else:
            with self.policy.disable_adapter():
                yield self.policy

    def evaluate(self, written: Completions, batch_size: int) -> Completions:
        """(N, T) each, before anything is learned: `logprobs` and `values` of the policy that has
        written the completions, `reference` log-probabilities, and `kl` where it is exact."""
        mask, exactly = written["mask"], self.kl != "sampled"
        names = ("logprobs", "values", "reference", *["kl"] * exactly)
        whole = {name: torch.zeros(mask.shape, device=mask.device) for name in names}
        for rows in torch.split(torch.arange(len(mask), device=mask.device), batch_size):
            batch = take(written, rows)
            with torch.no_grad():
                logprobs, _, values, *kl = self(**batch, divergence=exactly)
            parts = (logprobs, values, self.reference(**batch), *kl)
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
    head, states = action_states(model, ids, prompts, mask, split)
    rows, columns = _states(prompts, mask)
    actions = ids[rows, columns + 1]  # (A,)
    found = _chunked(partial(_logprobs, head, temperature), chunk_size(model), states, actions)
    logprobs, entropy = (_spread(values, mask) for values in found)
    return logprobs, entropy


def action_states(
    model: Any, ids: Tensor, prompts: Tensor, mask: Tensor, split: bool
) -> tuple[nn.Module, Tensor]:
    """What makes logits (A, V) of states, and the states (A, …) that actions are taken in."""
    network = causal(model)
    rows, columns = _states(prompts, mask)
    attended = _attended(ids, prompts, mask)
    if split:
        inner = network.base_model(ids, attention_mask=attended, use_cache=False)[0]  # (B, S, D)
        return network.get_output_embeddings(), inner[rows, columns]
    logits = network(ids, attention_mask=attended, use_cache=False).logits  # (B, S, V)
    return nn.Identity(), logits[rows, columns]


def chunk_size(model: Any) -> int:
    """States whose logits stand in memory at once."""
    vocabulary = int(causal(model).config.get_text_config().vocab_size)
    return max(CHUNK_LOGITS // vocabulary, 1)


def _chunked(
    function: Callable[..., tuple[Tensor, ...]], size: int, *inputs: Tensor
) -> tuple[Tensor, ...]:
    """What `function` makes of the inputs (A, …), `size` at a time, and again in the backward
    pass."""
    split = zip(*(torch.split(values, size) for values in inputs), strict=True)
    parts = [checkpoint(function, *chunk, use_reentrant=False) for chunk in split]
    return tuple(torch.cat(chunks) for chunks in zip(*parts, strict=True))


def _logprobs(
    head: nn.Module, temperature: float, states: Tensor, actions: Tensor
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
