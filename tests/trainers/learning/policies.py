"""Tiny policies, with a value model and a reference."""

from __future__ import annotations

from pathlib import Path

import torch

from trainers.job.options import Lora
from trainers.learning.actor_critic import ActorCritic


def load(folder: Path) -> torch.nn.Module:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder).eval()


def actor(folder: Path, adapter: Lora | None = None) -> ActorCritic:
    from peft import LoraConfig, get_peft_model

    policy = load(folder)
    if adapter:
        config = LoraConfig(r=adapter.r, target_modules=["q_proj", "down_proj"])
        policy = get_peft_model(policy, config)
    torch.manual_seed(0)
    return ActorCritic(policy, adapter, temperature=1.0)
