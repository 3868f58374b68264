"""Every method with its own learning rate, full and with LoRA, on the demo's pairs: does it learn?

    python -m benchmarks.learning_rates [method ...]

SmolLM2-135M-Instruct, 4 steps on the same two records, so that what changes is the model; seed 0.
Shown is what the method itself wants to change, at its first and at its last step: the loss (sft,
reward), the margin (dpo), the reward of completions (grpo, ppo: chrF against the preferred answer),
and the seconds that it took. PPO, which must learn values first, takes more steps, and the first
and the last quarter of its rollouts are averaged: 7 GB of memory, and long on a machine with other
work, so name the other methods there. The lines are rows for the table in
docs/decisions/0008.
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
from trainers.job.process import train
from trainers.job.reports import Reader
from trainers.job.run import Run
from trainers.job.spec import DATA, EVENTS, Spec, write_records

MODEL = "builtin/smollm2-135m-instruct"
STEPS, RECORDS = 4, 2
WRITING = {"rewards": [{"metric": "chrf"}], "max_completion_length": 16}
CASES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "sft": ("loss", {}),
    "reward": ("loss", {}),
    "dpo": ("margin", {}),
    "grpo": ("reward", WRITING | {"num_generations": 4, "batch_size": 4}),
    "ppo": (
        "reward",
        WRITING | {"batch_size": 16, "num_minibatches": 1, "ppo_epochs": 2, "max_steps": 24},
    ),
}


def main(methods: Sequence[str]) -> None:
    pairs = read_records("manners/pairs")[:RECORDS]
    for method in methods or tuple(CASES):
        for lora in (False, True):
            began = time.monotonic()
            first, last, rate = _trained(method, lora, pairs)
            which, what = "LoRA" if lora else "full", CASES[method][0]
            took = time.monotonic() - began
            row = f"{method} | {which} | {rate:g} | {what} | {first:.4f} | {last:.4f} | {took:.0f}"
            print(f"\n| {row} |", flush=True)


def _trained(method: str, lora: bool, pairs: Sequence[Any]) -> tuple[float, float, float]:
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
    values = [one.data[name] for one in reports if name in one.data]
    rate = trainers.parse(trainers.find(method), options).learning_rate or 0.0
    some = max(len(values) // 4, 1) if steps > STEPS else 1
    return fmean(values[:some]), fmean(values[-some:]), rate


def _record(method: str, pair: Any) -> dict[str, Any]:
    if method == "sft":
        return {"prompt": pair["prompt"], "completion": pair["chosen"]}
    if method in {"grpo", "ppo"}:
        return {"id": pair["prompt"], "prompt": pair["prompt"], "references": [pair["chosen"]]}
    return {name: pair[name] for name in ("prompt", "chosen", "rejected")}


if __name__ == "__main__":
    main(sys.argv[1:])
