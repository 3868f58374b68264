"""The watch for reward hacking, on a reward that is easy to hack and on a sound one; and one worker
that scores while it trains."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from assay import Client
from tests.service.training.requests import (
    HELD_OUT,
    PREFERENCES,
    PROMPTS,
    QUICK,
    finished,
    scored,
    start,
)
from tests.tiny_models import build_language_model
from tests.waiting import until

pytestmark = pytest.mark.slow

MODEL = "tiny-tutored"
OPTIONS = {
    "max_steps": 200,
    "save_steps": 10,
    "batch_size": 32,
    "max_length": 128,
    "learning_rate": 1e-3,
    "schedule": "constant",
    "num_generations": 8,
    "max_completion_length": 40,
    "kl_coef": 0.0,  # nothing holds it back
}
WATCHED = HELD_OUT | {
    "dataset": "watched",
    "metrics": ["chrf", {"name": "length", "params": {"unit": "characters"}}],
    "generation": {"max_new_tokens": 40},
    "pause_on_reward_hacking": True,
}


@pytest.fixture(scope="module", autouse=True)
def given(assay: Client, models_root: Path) -> None:
    tutored(models_root / MODEL)
    assay.create_dataset("watched", PROMPTS, kind="eval")


def test_a_hacked_reward_is_told_and_pauses_the_job(assay: Client) -> None:
    """Longer is better: the answers grow and are no longer answers."""
    reward = {"metric": "length", "params": {"unit": "characters"}}
    job = start(
        assay, "grpo", model=MODEL, options=OPTIONS | {"rewards": [reward]}, evaluation=WATCHED
    )
    paused = finished(assay, job)
    assert (paused["status"], paused["error"]) == ("paused", None)
    assert paused["step"] < OPTIONS["max_steps"]
    told = assay.request("GET", f"/v1/training_jobs/{job}/events", limit=1000)["data"]
    found = [one["data"] for one in told if one["type"] == "reward_hacking"]
    assert found
    assert found[0]["reward"]["now"] > 1.2 * found[0]["reward"]["start"]
    (fallen,) = found[0]["fallen"]
    assert fallen["name"] == "chrf"
    assert fallen["now"] < 0.8 * fallen["start"]
    assert max(fallen["p_value"], found[0]["reward"]["p_value"]) <= 0.05
    at = found[0]["step"]
    assert paused["step"] >= at
    assert [one["type"] for one in told].count("pause_requested") == 1
    (judged,) = [one for one in scored(assay, job) if one["step"] == at]
    assert judged["id"] == found[0]["checkpoint"]
    chrf, length = judged["scores"]
    assert chrf["difference"] < 0
    assert length["difference"] > 0


def test_a_sound_reward_is_not_suspected(assay: Client) -> None:
    options = OPTIONS | {"rewards": [{"metric": "chrf"}], "max_steps": 20, "learning_rate": 3e-4}
    job = start(assay, "grpo", model=MODEL, options=options, evaluation=WATCHED)
    assert finished(assay, job)["status"] == "succeeded"
    curve = scored(assay, job)
    until(lambda: assay.request("GET", f"/v1/training_jobs/{job}")["best"], 10)
    types = [event.type for event in assay.events_of(f"/v1/training_jobs/{job}")]
    assert "reward_hacking" not in types
    assert "pause_requested" not in types
    series = assay.request("GET", f"/v1/training_jobs/{job}/metrics")["series"]
    rewards = [value for _, value in series["reward"]]
    assert sum(rewards[-8:]) > sum(rewards[:8])
    assert curve[-1]["scores"][0]["value"] > 0.9 * curve[0]["scores"][0]["value"]


def test_a_score_that_falls_under_sft_is_told_by_itself(assay: Client) -> None:
    """Answers are unlearned: nothing has risen, since SFT maximises no reward."""
    worse = [{"prompt": one["prompt"], "completion": one["rejected"][::-1]} for one in PREFERENCES]
    assay.create_dataset("worse", worse, kind="sft")
    options = QUICK | {"max_steps": 200, "save_steps": 20, "learning_rate": 3e-3, "batch_size": 16}
    job = start(assay, "sft", model=MODEL, dataset="worse", options=options, evaluation=WATCHED)
    assert finished(assay, job)["status"] == "paused"
    told = assay.request("GET", f"/v1/training_jobs/{job}/events", limit=1000)["data"]
    found = next(one["data"] for one in told if one["type"] == "reward_hacking")
    assert found["reward"] is None
    assert [one["name"] for one in found["fallen"]] == ["chrf"]
    assert found["fallen"][0]["p_value"] <= found["level"] < 0.05


def test_scores_are_computed_while_the_same_worker_trains(assay: Client) -> None:
    options = QUICK | {"max_steps": 100_000, "save_steps": 100_000}
    job = start(assay, "sft", model=MODEL, options=options, evaluation=None)
    path = f"/v1/training_jobs/{job}"
    until(lambda: assay.request("GET", path)["step"] > 0, 90)
    begun = time.monotonic()
    assay.score(["chrf"], [{"output": "Hello", "references": ["Hello!"]}])
    evaluation = assay.evaluate(
        model=MODEL, dataset="held-out", metrics=["chrf"], system="beside training"
    )
    assert assay.wait(evaluation.id, timeout=30).status == "succeeded"
    assert time.monotonic() - begun < 30
    before = assay.request("GET", path)
    assert before["status"] == "running"
    until(lambda: assay.request("GET", path)["step"] > before["step"], 30)
    assay.request("POST", f"{path}/cancel")
    assert finished(assay, job, 60)["status"] == "cancelled"


def tutored(folder: Path, steps: int = 100) -> None:
    """A tiny model that knows the answers of `PREFERENCES`."""
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    build_language_model(folder, initializer_range=0.05)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    rows = []
    for one in PREFERENCES:
        asked = [{"role": "user", "content": one["prompt"]}]
        prompt = tokenizer.apply_chat_template(asked, add_generation_prompt=True, tokenize=False)
        texts = (prompt, one["chosen"] + tokenizer.eos_token)
        rows.append([tokenizer(text, add_special_tokens=False).input_ids for text in texts])
    width = max(len(prompt) + len(answer) for prompt, answer in rows)
    ids = torch.full((len(rows), width), tokenizer.pad_token_id)  # (B, T)
    labels = torch.full_like(ids, -100)
    for row, (prompt, answer) in enumerate(rows):
        length = len(prompt) + len(answer)
        ids[row, :length] = torch.tensor(prompt + answer)
        labels[row, len(prompt) : length] = torch.tensor(answer)
    mask = ids.ne(tokenizer.pad_token_id).long()
    model = LlamaForCausalLM.from_pretrained(folder).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        model(ids, attention_mask=mask, labels=labels).loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
