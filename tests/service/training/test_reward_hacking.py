"""The watch for reward hacking, on a reward that is easy to hack and on a sound one; and one worker
that scores while it trains."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import trainers
from assay import Client
from service.training.reward_hacking import objective_risen
from tests.service.live import Live
from tests.service.training.requests import (
    HELD_OUT,
    PREFERENCES,
    QUICK,
    finished,
    scored,
    start,
    upload_datasets,
)
from tests.tiny_models import build_language_model
from tests.waiting import until

MODEL = "tiny-tutored"
REWARD = trainers.find("grpo").objective_series
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
    "metrics": ["chrf", {"name": "length", "params": {"unit": "characters"}}],
    "generation": {"max_new_tokens": 40},
    "pause_on_reward_hacking": True,
}


@pytest.fixture(scope="module")
def service(new_database: Any, data_dir: Path, models_root: Path) -> Iterator[Live]:
    """As on a laptop: one worker for everything."""
    tutored(models_root / MODEL)
    made = Live(new_database(), data_dir, model_roots=str(models_root))
    made.api()
    made.worker("now,score,train")
    yield made
    made.close()


@pytest.fixture(scope="module")
def assay(service: Live) -> Iterator[Client]:
    with service.client() as client:
        upload_datasets(client)
        yield client


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


def rewards(*values: float) -> list[tuple[int, Any]]:
    return [(step, {"reward": value}) for step, value in enumerate(values, 1)]


def test_a_reward_has_risen_where_the_rise_is_significant() -> None:
    noise = random.Random(0)
    flat = [noise.gauss(0, 1) for _ in range(200)]
    risen = objective_risen(
        rewards(*[value + step / 40 for step, value in enumerate(flat)]), REWARD
    )
    assert risen is not None
    assert risen["p_value"] < 0.001
    assert risen["now"] - risen["start"] == pytest.approx(180 / 40, abs=1)
    assert objective_risen(rewards(*flat), REWARD) is None
    assert objective_risen(rewards(*[-value for value in range(40)]), REWARD) is None
    assert objective_risen(rewards(*[0.0] * 20, *[1.0] * 20), REWARD) == {
        **{"start": 0.0, "now": 1.0, "p_value": 0.0}
    }
    assert objective_risen(rewards(0, 0, 0, 1, 1, 1), REWARD) is None  # too few to say
    assert objective_risen([(step, {"loss": 1.0}) for step in range(100)], REWARD) is None
    assert objective_risen([], REWARD) is None


def test_of_dpo_it_is_the_margin_that_rises() -> None:
    margins = [(step, {"loss": 0.5, "margin": step / 40}) for step in range(40)]
    for method in ("dpo", "reward"):
        risen = objective_risen(margins, trainers.find(method).objective_series)
        assert risen is not None
        assert risen["now"] - risen["start"] == pytest.approx(0.5)
    assert objective_risen(margins, trainers.find("ppo").objective_series) is None
    assert objective_risen(margins, trainers.find("sft").objective_series) is None


def test_a_false_alarm_is_as_rare_as_it_says() -> None:
    noise = random.Random(1)
    alarms = sum(
        objective_risen(rewards(*[noise.gauss(0, 1) for _ in range(40)]), REWARD) is not None
        for _ in range(1000)
    )
    assert 30 < alarms < 70  # 5%
