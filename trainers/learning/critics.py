"""Where a value model begins: as the policy's backbone under a head of zeros, or as a reward model.

With an adapter the backbone's weights are frozen and the value model has an adapter of its own.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from inference.load import load_network, load_tokenizer
from trainers.job.errors import TrainingError
from trainers.job.options import Lora, RewardedOptions
from trainers.job.run import Run
from trainers.learning.models import adapted_layers
from trainers.learning.rollouts import causal

Critic = tuple[Any, nn.Linear]  # a backbone, and what makes its states (…, D) values (…, 1)


def of_policy(policy: Any, adapter: Lora | None) -> Critic:
    """The policy's backbone again: a copy, or with an adapter the same frozen weights. V is 0 at
    first: no noise in the first advantages."""
    width = int(causal(policy).config.get_text_config().hidden_size)
    head = nn.Linear(width, 1, device=next(policy.parameters()).device)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    if adapter is None:
        return copy.deepcopy(policy.base_model), head
    shared = {id(parameter): parameter for parameter in policy.parameters()}
    return _adapted(copy.deepcopy(policy, shared).unload(), adapter), head


def judging(options: RewardedOptions, run: Run, tokenizer: Any) -> Critic:
    """The value model that begins as the first of the rewards that is a reward model's. Raises
    TrainingError unless that is a decoder on the policy's tokens."""
    import transformers

    judge = options.judge
    if judge is None:
        raise TrainingError("unsupported", "no reward is a reward model's", "options.critic")
    name = str(judge.params["model"])
    folders = run.models.files(name)
    if load_tokenizer(folders[-1]).get_vocab() != tokenizer.get_vocab():
        message = f"{name} cannot begin the value model: its tokens are not the policy's"
        raise TrainingError("unsupported", message, "options.critic")
    half = options.adapter is not None and options.dtype == "bfloat16"
    network = load_network(
        transformers.AutoModelForSequenceClassification,
        name,
        folders,
        "bfloat16" if half else "float32",
        "cpu",
    )
    return of_reward_model(network, options.adapter, judge.weight)


def of_reward_model(network: Any, adapter: Lora | None, weight: float) -> Critic:
    """V(s) is at first what the reward model says of the text so far, times `weight`.

    network  a decoder with one output, on the policy's tokens. Raises TrainingError for others
    """
    score = getattr(network, "score", None)
    if not isinstance(score, nn.Linear) or score.out_features != 1:
        message = "the reward model cannot begin a value model: it is no decoder with one output"
        raise TrainingError("unsupported", message, "options.critic")
    head = nn.Linear(score.in_features, 1, device=score.weight.device)
    with torch.no_grad():
        head.weight.copy_(weight * score.weight.float())
        head.bias.copy_(0.0 if score.bias is None else weight * score.bias.float())
    return (network.base_model if adapter is None else _adapted(network, adapter)), head


def _adapted(network: Any, adapter: Lora) -> Any:
    from peft import LoraConfig, get_peft_model

    targets = adapted_layers(network, adapter)
    config = LoraConfig(r=adapter.r, lora_alpha=adapter.alpha, target_modules=targets)
    backbone: Any = get_peft_model(network.base_model, config)
    for parameter in backbone.parameters():
        if parameter.requires_grad:  # what is trained is float32, whatever is frozen
            parameter.data = parameter.data.float()
    return backbone
