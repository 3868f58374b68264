"""Both clients train: a job from its creation to the files of its checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assay import AssayError, Client, Progress
from tests.service.training.requests import CONVERSATIONS, PROMPTS, QUICK

OPTIONS = QUICK | {"lora": {"r": 4}}
HELD_OUT = {"dataset": "held-out", "metrics": ["chrf"], "generation": {"max_new_tokens": 4}}


@pytest.fixture
def dataset(assay: Client) -> str:
    assay.create_dataset("held-out", PROMPTS[::4])
    return assay.create_dataset("conversations", CONVERSATIONS, kind="sft").id


@pytest.mark.slow
def test_a_job_and_its_checkpoint(assay: Client, dataset: str, tmp_path: Path) -> None:
    """The client that comes second asks with the same key, and so for the same job."""
    job = assay.train(
        method="sft",
        model="tiny-language",
        dataset=dataset,
        options=OPTIONS,
        evaluation=HELD_OUT,
        idempotency_key="train",
    )
    told: list[Progress] = []
    done = assay.wait_training_job(job.id, timeout=180, progress=told.append)
    assert (done.status, done.step, done.finished) == ("succeeded", 4, True), done.error
    assert told[-1] == Progress(done=4, total=4)
    assert assay.training_job(job.id) == done
    assert next(assay.training_jobs(status="succeeded", limit=1)).id == job.id

    series = assay.training_metrics(job.id).series
    assert [step for step, _ in series["loss"]] == [1, 2, 3, 4]
    types = [event.type for event in assay.training_events(job.id) if event.id is not None]
    assert types[-1] == "succeeded"
    assert types.count("checkpoint") == 2

    start, first, last = assay.checkpoints(job.id)
    assert (start.id, first.step, last.step) == (None, 2, 4)
    assert last.id is not None
    assert last.evaluation is not None
    evaluation = assay.wait(last.evaluation, timeout=120)
    card = assay.checkpoint(last.id)
    assert (card.form, card.job, card.card["method"]) == ("adapter", job.id, "sft")
    point = card.score("chrf")
    assert point is not None
    assert point.value == evaluation.score("chrf").value
    assert card.score("bleu") is None

    received: list[Progress] = []
    folder = tmp_path / "adapter"
    assert assay.download_checkpoint(last.id, folder, progress=received.append) == folder
    assert (folder / "adapter_model.safetensors").stat().st_size > 1000
    assert json.loads((folder / "card.json").read_text())["checkpoint"] == last.id
    assert received[-1].done == received[-1].total > 1000
    merged = assay.download_checkpoint(last.id, tmp_path / "merged", "merged")
    assert (merged / "model.safetensors").exists()
    assert not (merged / "adapter_config.json").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter", "merged"]


@pytest.mark.slow
def test_pausing_resuming_cancelling(assay: Client, dataset: str) -> None:
    endless = OPTIONS | {"max_steps": 100_000, "save_steps": 50_000}
    job = assay.train(method="sft", model="tiny-language", dataset=dataset, options=endless)
    for event in assay.training_events(job.id):
        if event.type == "progress" and event.data["step"] > 0:
            break
    assay.pause_training_job(job.id)
    paused = assay.wait_training_job(job.id, timeout=120)
    assert paused.status == "paused"
    assert not paused.finished
    assert paused.step > 0
    assert assay.resume_training_job(job.id).status == "queued"
    assay.cancel_training_job(job.id)
    cancelled = assay.wait_training_job(job.id, timeout=120)
    assert cancelled.status == "cancelled"
    resumed = assay.resume_training_job(job.id, max_steps=cancelled.step + 1)
    assert (resumed.status, resumed.total_steps) == ("queued", cancelled.step + 1)
    seen: list[Progress] = []
    ended = assay.wait_training_job(job.id, timeout=120, progress=seen.append)
    assert ended.status == "succeeded"
    assert seen[-1] == Progress(done=ended.step, total=cancelled.step + 1)
    assert ended.step == cancelled.step + 1
    with pytest.raises(AssayError) as refused:
        assay.resume_training_job(job.id)
    assert refused.value.status == 409


def test_a_wrong_option_is_named(assay: Client, dataset: str) -> None:
    wrong = OPTIONS | {"learning_rat": 1e-3}
    with pytest.raises(AssayError) as refused:
        assay.train(method="sft", model="tiny-language", dataset=dataset, options=wrong)
    assert (refused.value.status, refused.value.param) == (422, "options.learning_rat")
    with pytest.raises(AssayError, match="sft") as unknown:
        assay.train(method="stf", model="tiny-language", dataset=dataset)
    assert unknown.value.param == "method"
