"""Long records for each method, so that a batch weighs more than a tiny model."""

from __future__ import annotations

from typing import Any

TEXT = "Съешь же ещё этих мягких французских булок, да выпей чаю. " * 40
METHODS = ("sft", "reward", "dpo", "kto", "grpo", "ppo")
REWARDED: dict[str, dict[str, Any]] = {
    "grpo": {"rewards": [{"metric": "length"}], "num_generations": 2},
    "ppo": {"rewards": [{"metric": "length"}], "num_minibatches": 1, "ppo_epochs": 1},
}


def records(method: str, count: int = 16, prompt: int = 200) -> list[dict[str, Any]]:
    """Records whose answers fill any sequence; prompts of `prompt` characters to be answered."""
    if method == "sft":
        return [{"text": f"{at} {TEXT}"} for at in range(count)]
    if method in REWARDED:
        return [
            {"id": str(at), "prompt": f"{at} {TEXT[:prompt]}", "references": ["x"]}
            for at in range(count)
        ]
    if method == "kto":
        return [
            {"prompt": f"p{at % 3}", "completion": f"{at} {TEXT}", "label": at % 2 == 0}
            for at in range(count)
        ]
    return [
        {"prompt": "p", "chosen": f"+{at} {TEXT}+", "rejected": f"-{at} {TEXT}-"}
        for at in range(count)
    ]
