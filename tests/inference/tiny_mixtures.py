"""Small mixtures of experts in the published configurations, with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.tiny_models import POSITIONS, build_tokenizer

SHARED = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": POSITIONS,
    "initializer_range": 0.2,
}
OWN: dict[str, dict[str, Any]] = {
    "mixtral": {"num_local_experts": 8, "num_experts_per_tok": 2},
    "qwen3_moe": {"num_experts": 16, "num_experts_per_tok": 4, "moe_intermediate_size": 24}
    | {"head_dim": 8, "norm_topk_prob": True},
    "deepseek_v3": {"n_routed_experts": 8, "num_experts_per_tok": 2, "n_group": 4, "topk_group": 2}
    | {"n_shared_experts": 1, "moe_intermediate_size": 24, "first_k_dense_replace": 1}
    | {"q_lora_rank": 16, "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 4}
    | {"v_head_dim": 8, "num_key_value_heads": 4, "num_nextn_predict_layers": 1},
}


def build_mixture(folder: Path, kind: str, seed: int = 0, **config: Any) -> Path:
    """A causal model of a `kind` of OWN, as safetensors. DeepSeek-V3's first layer is dense."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = build_tokenizer()
    ends = {
        f"{one}_token_id": getattr(tokenizer, f"{one}_token_id") for one in ("pad", "bos", "eos")
    }
    settings = {"vocab_size": len(tokenizer), **ends, **SHARED, **OWN[kind], **config}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **settings))
        for name, weight in model.named_parameters():  # some routers begin at zero
            if name.endswith("gate.weight"):
                torch.nn.init.normal_(weight, std=0.5)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def add_multi_token(folder: Path, seed: int = 1) -> Path:
    """To a DeepSeek-V3 its modules for tokens further ahead, named as its publishers do."""
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import AutoModelForCausalLM
    from transformers.modeling_layers import MtpModel

    main = AutoModelForCausalLM.from_pretrained(folder)
    count, layers = main.config.num_mtp_layers, main.config.num_hidden_layers
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = MtpModel(main, count)
        weights = load_file(folder / "model.safetensors")
        for name, weight in made.layers.state_dict().items():
            at, _, rest = name.partition(".")
            rest = rest.replace("post_norm.", "shared_head.norm.").replace("mtp_block.", "")
            drawn = torch.randn_like(weight) * 0.2 if weight.dim() > 1 else weight
            for key, one in _published(rest, drawn):
                weights[f"model.layers.{layers + int(at)}.{key}"] = one.contiguous().clone()
        weights["lm_head.weight"][9:] *= 0.02  # few likely tokens: some drafts are right
        for layer in range(layers, layers + count):
            prefix = f"model.layers.{layer}"
            weights[f"{prefix}.embed_tokens.weight"] = weights["model.embed_tokens.weight"].clone()
            weights[f"{prefix}.shared_head.head.weight"] = weights["lm_head.weight"].clone()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _published(name: str, weight: Any) -> list[tuple[str, Any]]:
    """Experts lie one by one in checkpoints, gate and up apart."""
    if name.endswith("experts.gate_up_proj"):
        halves = [each.chunk(2) for each in weight]
        return [
            (f"mlp.experts.{at}.{part}_proj.weight", one)
            for at, pair in enumerate(halves)
            for part, one in zip(("gate", "up"), pair, strict=True)
        ]
    if name.endswith("experts.down_proj"):
        return [(f"mlp.experts.{at}.down_proj.weight", one) for at, one in enumerate(weight)]
    return [(name, weight)]
