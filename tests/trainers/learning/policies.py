"""Tiny policies, with a value model and a reference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from trainers.job.options import Lora
from trainers.learning.actor_critic import ActorCritic
from trainers.learning.kl import Kl

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def load(folder: Path) -> PreTrainedModel:
    from transformers import AutoModelForCausalLM

    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(folder).eval()
    return model


def actor(
    folder: Path, adapter: Lora | None = None, kl: Kl = "sampled", temperature: float = 1.0
) -> ActorCritic:
    from peft import LoraConfig, get_peft_model

    policy: torch.nn.Module = load(folder)
    if adapter:
        config = LoraConfig(r=adapter.r, target_modules=["q_proj", "down_proj"])
        policy = get_peft_model(policy, config)
    torch.manual_seed(0)
    return ActorCritic(policy, adapter, temperature, kl=kl)
