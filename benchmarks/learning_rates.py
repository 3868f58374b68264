"""Every method with its own learning rate, full and with LoRA, on the demo's pairs: does it learn?

    python -m benchmarks.learning_rates [method ...]

SmolLM2-135M-Instruct on the same two records in every step, so that what changes is the model;
seed 0. Shown is what the method itself wants to change, at its beginning and at its end, and the
seconds that it took. Of sft and reward it is the loss, of dpo the margin: at the first and the last
of 4 steps. Of grpo and ppo it is the reward of completions, chrF against the preferred answer: the
means, with their standard errors, of the first and the last third of the rollouts, each of which
answers both prompts eight times. Prompts stand without the chat template, which is longer than
they are. Full weights of ppo take 7 GB. The lines are rows for the table in docs/decisions/0008.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import trainers
from demo.shipped import read_records
from service.settings import get_settings
from trainers.job.options import RewardedOptions
from trainers.job.process import train
from trainers.job.reports import Reader
from trainers.job.run import Run
from trainers.job.spec import DATA, EVENTS, Spec, write_records

MODEL = "builtin/smollm2-135m-instruct"
STEPS, RECORDS = 4, 2
WRITING = {"rewards": [{"metric": "chrf"}], "max_completion_length": 16, "chat": False}
CASES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "sft": ("loss", {}),
    "reward": ("loss", {}),
    "dpo": ("margin", {}),
    "grpo": ("reward", WRITING | {"batch_size": 16, "max_steps": 24}),
    "ppo": ("reward", WRITING | {"batch_size": 4, "max_steps": 192}),  # 12 rollouts, 16 steps each
}


def main(methods: Sequence[str]) -> None:
    pairs = read_records("manners/pairs")[:RECORDS]
    for method in methods or tuple(CASES):
        for lora in (False, True):
            began = time.monotonic()
            first, last, rate = _trained(method, lora, pairs)
            which, what = "LoRA" if lora else "full", CASES[method][0]
            took = time.monotonic() - began
            row = f"{method} | {which} | {rate:g} | {what} | {first} | {last} | {took:.0f}"
            print(f"\n| {row} |", flush=True)


def _trained(method: str, lora: bool, pairs: Sequence[Any]) -> tuple[str, str, float]:
    """What it wants to change, at first and at last, and its learning rate."""
    name, options = CASES[method]
    steps = options.get("max_steps", STEPS)
    shared = {"max_steps": steps, "save_steps": steps, "max_length": 128, "lora": lora}
    options = shared | {"batch_size": 2, "schedule": "constant", "truncate": True} | options
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as place:
        folder = Path(place)
        (folder / "attempt").mkdir()
        spec = Spec(
            job="bench",
            attempt=1,
            method=method,
            options=options,
            model=MODEL,
            dataset="manners@1",
            data=write_records(folder / DATA, [_record(method, one) for one in pairs]),
            folder=folder / "attempt",
            cache_dir=get_settings().data_dir / "models",
        )
        train(Run(spec))
        reports = [one for one in Reader(spec.folder / EVENTS) if one.type == "series"]
    parsed = trainers.parse(trainers.find(method), options)
    values = [one.data for one in reports if name in one.data]
    if not isinstance(parsed, RewardedOptions):
        first, last = (f"{one[name]:.4f}" for one in (values[0], values[-1]))
    else:
        third, size = len(values) // 3, parsed.rollout_size
        first, last = (_mean(some, size) for some in (values[:third], values[-third:]))
    return first, last, parsed.learning_rate or 0.0


def _mean(rollouts: Sequence[Mapping[str, float]], size: int) -> str:
    """The mean reward of rollouts of `size` completions, with its standard error."""
    variance = fmean(one["reward/std"] ** 2 for one in rollouts)
    error = (variance / (len(rollouts) * size)) ** 0.5
    return f"{fmean(one['reward'] for one in rollouts):.2f} ± {error:.2f}"


def _record(method: str, pair: Any) -> dict[str, Any]:
    if method == "sft":
        return {"prompt": pair["prompt"], "completion": pair["chosen"]}
    if method in {"grpo", "ppo"}:
        return {"id": pair["prompt"], "prompt": pair["prompt"], "references": [pair["chosen"]]}
    return {name: pair[name] for name in ("prompt", "chosen", "rejected")}


if __name__ == "__main__":
    main(sys.argv[1:])
