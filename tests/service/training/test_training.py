"""Training jobs over HTTP: methods, checkpoints that are scored, and what is refused in time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from assay import AssayError, Client
from service.training.store import FINAL
from tests.service.live import Live
from tests.service.training.requests import (
    OPTIONS,
    PREFERENCES,
    QUICK,
    finished,
    job_body,
    scored,
    start,
    upload_datasets,
)
from tests.waiting import until


@pytest.fixture(scope="module")
def service(
    new_database: Any, data_dir: Path, models_root: Path, tiny_language_model: Path
) -> Iterator[Live]:
    """A service with one worker that scores and trains."""
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


@pytest.mark.parametrize("method", ["sft", "dpo", "grpo", "ppo"])
def test_a_method_trains_and_its_checkpoints_are_scored(assay: Client, method: str) -> None:
    job = start(assay, method)
    done = finished(assay, job)
    assert done["status"] == "succeeded", done["error"]
    assert (done["step"], done["total_steps"]) == (4, 4)
    curve = scored(assay, job)
    assert [one["step"] for one in curve] == [0, 2, 4]
    assert curve[0]["id"] is None
    for one in curve[1:]:
        chrf = next(score for score in one["scores"] if score["name"] == "chrf")
        assert chrf["interval"][0] <= chrf["value"] <= chrf["interval"][1]
        assert chrf["difference"] is not None
    until(lambda: assay.request("GET", f"/v1/training_jobs/{job}")["best"], 10)
    board = assay.leaderboard("held-out", "chrf")
    systems = {row.system for row in board.rows}
    assert {f"{job}/start", f"{job}/2", f"{job}/4"} <= systems
    series = assay.request("GET", f"/v1/training_jobs/{job}/metrics")["series"]
    assert [step for step, _ in series["loss"]] == [1, 2, 3, 4]
    types = [event.type for event in assay.events_of(f"/v1/training_jobs/{job}")]
    turns = [type for type in types if type in {"running", "checkpoint", *FINAL}]
    assert turns == ["running", "checkpoint", "checkpoint", "succeeded"]
    assert 1 <= types.count("best") <= 2
    again = assay.evaluate(
        model=curve[-1]["id"], dataset="held-out", metrics=["chrf"], system="again"
    )
    assert assay.wait(again.id, timeout=60).status == "succeeded"


def test_a_reward_model_is_a_metric_and_a_reward(assay: Client) -> None:
    job = start(assay, "reward")
    assert finished(assay, job)["status"] == "succeeded"
    curve = assay.request("GET", f"/v1/training_jobs/{job}/checkpoints")["data"]
    reward = {"metric": "reward", "params": {"model": curve[-1]["id"]}}
    scores = assay.score(
        [{"name": "reward", "params": reward["params"]}],
        [{"prompt": one["prompt"], "output": one["chosen"]} for one in PREFERENCES[:4]],
    )
    assert len(scores["reward"]["per_sample"]) == 4
    options = QUICK | OPTIONS["grpo"] | {"rewards": [reward], "max_steps": 2}
    trained = start(assay, "grpo", options=options, evaluation=None)
    assert finished(assay, trained)["status"] == "succeeded"


def test_a_reward_model_is_evaluated_on_held_out_pairs(assay: Client) -> None:
    """Another job that begins with a checkpoint of this one has a start to be compared with."""
    assay.create_dataset("held-pairs", PREFERENCES[::3], kind="preference")
    held = {"dataset": "held-pairs", "metrics": ["pair_accuracy"], "select_by": "pair_accuracy"}
    job = start(assay, "reward", evaluation=held)
    done = finished(assay, job)
    assert done["status"] == "succeeded", done["error"]
    curve = scored(assay, job)
    assert [one["step"] for one in curve] == [2, 4]
    names = {"pair_accuracy", "pair_margin", "pair_loss", "pair_calibration_error"}
    for one in curve:
        assert {score["name"] for score in one["scores"]} == names
        accuracy = next(score for score in one["scores"] if score["name"] == "pair_accuracy")
        assert 0 <= accuracy["interval"][0] <= accuracy["value"] <= accuracy["interval"][1] <= 1
    assert "in the training data" in curve[0]["warnings"][0]
    until(lambda: assay.request("GET", f"/v1/training_jobs/{job}")["best"], 10)
    options = QUICK | {"max_steps": 2}
    again = start(assay, "reward", model=curve[-1]["id"], evaluation=held, options=options)
    assert finished(assay, again)["status"] == "succeeded"
    first, last = scored(assay, again)
    assert (first["step"], last["step"]) == (0, 2)
    assert last["scores"][0]["difference"] is not None


@pytest.mark.parametrize(
    ("changes", "param", "part"),
    [
        ({"metrics": ["chrf"]}, "evaluation.metrics[0]", "pair_accuracy"),
        ({"dataset": "held-out"}, "evaluation.dataset", "preference"),
    ],
)
def test_what_says_nothing_of_a_reward_model_is_refused(
    service: Live, assay: Client, changes: dict[str, Any], param: str, part: str
) -> None:
    held = {"dataset": "train-preference", "metrics": ["pair_accuracy"]} | changes
    answer = httpx.post(
        f"{service.base}/v1/training_jobs", json=job_body("reward", evaluation=held)
    )
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["param"] == param
    assert part in answer.json()["error"]["message"]


def test_pause_resume_cancel(assay: Client) -> None:
    long = QUICK | {"max_steps": 2000, "save_steps": 1000}
    job = start(assay, "sft", options=long, evaluation=None)
    path = f"/v1/training_jobs/{job}"
    until(lambda: assay.request("GET", path)["step"] >= 3, 60)
    assay.request("POST", f"{path}/pause")
    paused = finished(assay, job, 30)
    assert paused["status"] == "paused"
    (kept,) = assay.request("GET", f"{path}/checkpoints")["data"]
    assert kept["step"] >= 3
    assay.request("POST", f"{path}/resume")
    until(lambda: assay.request("GET", path)["step"] > kept["step"] + 2, 60)
    assay.request("POST", f"{path}/cancel")
    cancelled = finished(assay, job, 30)
    assert cancelled["status"] == "cancelled"
    assert len(assay.request("GET", f"{path}/checkpoints")["data"]) == 2
    series = assay.request("GET", f"{path}/metrics")["series"]["loss"]
    assert [step for step, _ in series] == list(range(1, cancelled["step"] + 1))
    with pytest.raises(AssayError) as refused:
        assay.request("POST", f"{path}/resume")
    assert refused.value.status == 409


@pytest.mark.parametrize(
    ("changes", "param", "part"),
    [
        ({"method": "dpoo"}, "method", "'dpo'"),
        ({"options": {"max_stepps": 3}}, "options.max_stepps", "max_steps"),
        ({"options": {"learning_rate": -1}}, "options.learning_rate", "greater"),
        ({"model": "../etc"}, "model", "allowed root"),
        ({"model": "ckpt_nothing"}, "model", "checkpoint"),
        ({"dataset": "nothing"}, "dataset", "no dataset"),
        ({"dataset": "train-sft"}, "dataset", "preference"),
        ({"evaluation": {"dataset": "nothing", "metrics": ["chrf"]}}, "evaluation.dataset", "no"),
        (
            {"evaluation": {"dataset": "held-out", "metrics": ["chrff"]}},
            "evaluation.metrics[0].name",
            "'chrf'",
        ),
        (
            {"evaluation": {"dataset": "held-out", "metrics": ["chrf"], "select_by": "bleu"}},
            "evaluation.select_by",
            "chrf",
        ),
        ({"evaluate": {}}, "evaluate", "not permitted"),
    ],
)
def test_refused(service: Live, assay: Client, changes: Any, param: str, part: str) -> None:
    before = len(assay.request("GET", "/v1/training_jobs", limit=1000)["data"])
    answer = httpx.post(f"{service.base}/v1/training_jobs", json=job_body("dpo") | changes)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["param"] == param
    assert part in answer.json()["error"]["message"]
    assert len(assay.request("GET", "/v1/training_jobs", limit=1000)["data"]) == before


def test_an_evaluation_that_cannot_work_is_refused(service: Live, assay: Client) -> None:
    """Records without a prompt: nothing could be generated for them."""
    assay.create_dataset("без вопросов", [{"references": ["Вот."]}], kind="eval")
    for dataset, code, param in [
        ("без вопросов", "missing_prompt", "evaluation.records[0].prompt"),
        ("train-sft", "wrong_kind", "evaluation.dataset"),
    ]:
        body = job_body("dpo", evaluation={"dataset": dataset, "metrics": ["chrf"]})
        error = httpx.post(f"{service.base}/v1/training_jobs", json=body).json()["error"]
        assert (error["code"], error["param"]) == (code, param)


def test_rewards_are_refused_when_they_cannot_be(service: Live, assay: Client) -> None:
    for rewards, param in [
        ([{"metric": "distinct_n"}], "options.rewards[0].metric"),
        ([{"metric": "lenght"}], "options.rewards[0].metric"),
        ([{"metric": "chrf"}, {"metric": "rouge", "name": "rougeX"}], "options.rewards[1].name"),
        ([{"metric": "pass_at_k"}], "records[0].tests"),
    ]:
        body = job_body("grpo", options=QUICK | OPTIONS["grpo"] | {"rewards": rewards})
        answer = httpx.post(f"{service.base}/v1/training_jobs", json=body)
        assert answer.status_code == 422
        assert answer.json()["error"]["param"] == param


def test_training_rows_are_checked_one_by_one(service: Live, assay: Client) -> None:
    rows: list[Any] = [dict(PREFERENCES[0]) for _ in range(30)]
    for index in (3, 7):
        rows[index]["chosen"] = ""
    body = {"name": "bad-rows", "kind": "preference", "records": rows}
    answer = httpx.post(f"{service.base}/v1/datasets", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == "records[3]"
    assert "records[7]" in answer.json()["error"]["message"]
    assert httpx.get(f"{service.base}/v1/datasets/bad-rows").status_code == 404


def test_methods_are_listed_with_their_schemas(service: Live) -> None:
    listed = {one["id"]: one for one in httpx.get(f"{service.base}/v1/trainers").json()["data"]}
    assert {"sft", "reward", "dpo", "grpo", "ppo"} <= set(listed)
    for one in listed.values():
        assert one["objective"]
        assert "max_steps" in one["options"]["properties"]
