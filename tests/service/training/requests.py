"""Datasets and helpers for the tests of training jobs over HTTP."""

from __future__ import annotations

import time
from typing import Any

from assay import Client

PREFERENCES = [
    {
        "prompt": f"Say hello to number {index}",
        "chosen": f"Hello, number {index}! How are you today?",
        "rejected": f"{index} what do you want",
    }
    for index in range(16)
] + [
    {
        "prompt": f"Поздоровайся с номером {index}",
        "chosen": f"Здравствуй, номер {index}! Как дела?",
        "rejected": f"{index} чего тебе",
    }
    for index in range(16)
]
CONVERSATIONS = [
    {
        "messages": [
            {"role": "user", "content": one["prompt"]},
            {"role": "assistant", "content": one["chosen"]},
        ]
    }
    for one in PREFERENCES
]
PROMPTS = [
    {"id": str(index), "prompt": one["prompt"], "references": [one["chosen"]]}
    for index, one in enumerate(PREFERENCES)
]
QUICK = {
    "max_steps": 4,
    "save_steps": 2,
    "batch_size": 4,
    "max_length": 128,
    "learning_rate": 1e-3,
}
HELD_OUT = {
    "dataset": "held-out",
    "metrics": ["chrf", "length"],
    "generation": {"max_new_tokens": 8},
    "select_by": "chrf",
}
OPTIONS: dict[str, dict[str, Any]] = {
    "sft": {},
    "reward": {},
    "dpo": {"beta": 0.1},
    "grpo": {
        "rewards": [{"metric": "chrf"}],
        "num_generations": 2,
        "max_completion_length": 8,
    },
    "ppo": {"rewards": [{"metric": "chrf"}], "max_completion_length": 8},
}
DATASETS = {
    "sft": "train-sft",
    "reward": "train-preference",
    "dpo": "train-preference",
    "grpo": "train-prompts",
    "ppo": "train-prompts",
}


def upload_datasets(assay: Client) -> None:
    assay.create_dataset("train-sft", CONVERSATIONS, kind="sft")
    assay.create_dataset("train-preference", PREFERENCES, kind="preference")
    assay.create_dataset("train-prompts", PROMPTS, kind="prompts")
    assay.create_dataset("held-out", PROMPTS[::4], kind="eval")


def job_body(method: str, **changes: Any) -> dict[str, Any]:
    body = {
        "method": method,
        "model": "tiny-language",
        "dataset": DATASETS[method],
        "options": QUICK | OPTIONS[method],
        "evaluation": HELD_OUT if method != "reward" else None,
    }
    return body | changes


def start(assay: Client, method: str, **changes: Any) -> str:
    made: str = assay.request("POST", "/v1/training_jobs", job_body(method, **changes))["id"]
    return made


def finished(assay: Client, job: str, seconds: float = 180.0) -> Any:
    """The job once nobody is at work on it."""
    deadline = time.monotonic() + seconds
    while True:
        found = assay.request("GET", f"/v1/training_jobs/{job}")
        if found["status"] not in {"queued", "running"}:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


def scored(assay: Client, job: str, seconds: float = 120.0) -> list[Any]:
    """The job's curve once every evaluation on it has ended."""
    deadline = time.monotonic() + seconds
    while True:
        curve = assay.request("GET", f"/v1/training_jobs/{job}/checkpoints")["data"]
        if curve and all(one["evaluation_status"] == "succeeded" for one in curve):
            return list(curve)
        assert time.monotonic() < deadline, curve
        time.sleep(0.2)
