"""Training jobs over HTTP: methods, checkpoints that are scored, and what is refused in time."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from assay import AssayError, Client
from service.jobs import queue
from service.training.store import FINAL
from tests.service.live import Live
from tests.service.training.requests import (
    DATASETS,
    OPTIONS,
    PREFERENCES,
    QUICK,
    finished,
    job_body,
    scored,
    start,
)
from tests.waiting import until

HELD_PAIRS = {
    "dataset": "held-pairs",
    "metrics": ["pair_accuracy"],
    "select_by": "pair_accuracy",
}


@pytest.mark.parametrize("method", ["sft", "dpo", "grpo", "ppo"])
def test_a_method_trains_and_its_checkpoints_are_scored(assay: Client, method: str) -> None:
    held = {"validation": {"dataset": DATASETS[method]}} if method in {"sft", "dpo"} else {}
    job = start(assay, method, **held)
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
    if held:
        assert [step for step, _ in series["validation/loss"]] == [0, 2, 4]
        shared = done["report"]["validation_overlap"]
        assert shared["shared"] == shared["samples"] == 32
    types = [event.type for event in assay.events_of(f"/v1/training_jobs/{job}")]
    turns = [type for type in types if type in {"running", "checkpoint", *FINAL}]
    assert turns == ["running", "checkpoint", "checkpoint", "succeeded"]
    assert 1 <= types.count("best") <= 2
    again = assay.evaluate(
        model=curve[-1]["id"], dataset="held-out", metrics=["chrf"], system="again"
    )
    assert assay.wait(again.id, timeout=60).status == "succeeded"


@pytest.fixture(scope="module")
def reward_job(assay: Client) -> str:
    """One of a reward model, which has been trained; it is held to two pairs of each prompt."""
    pairs = [
        one | {"rejected": one["rejected"] + end} for one in PREFERENCES[::3] for end in ("", "?!")
    ]
    assay.create_dataset("held-pairs", pairs, kind="preference")
    job = start(assay, "reward", evaluation=HELD_PAIRS, options=QUICK | {"max_steps": 2})
    done = finished(assay, job)
    assert done["status"] == "succeeded", done["error"]
    return job


@pytest.mark.slow
def test_a_reward_model_is_a_metric_and_a_reward(assay: Client, reward_job: str) -> None:
    curve = assay.request("GET", f"/v1/training_jobs/{reward_job}/checkpoints")["data"]
    reward = {"metric": "reward", "params": {"model": curve[-1]["id"]}}
    scores = assay.score(
        [{"name": "reward", "params": reward["params"]}],
        [{"prompt": one["prompt"], "output": one["chosen"]} for one in PREFERENCES[:4]],
    )
    assert len(scores["reward"]["per_sample"]) == 4
    options = QUICK | OPTIONS["grpo"] | {"rewards": [reward], "max_steps": 2}
    trained = start(assay, "grpo", options=options, evaluation=None)
    assert finished(assay, trained)["status"] == "succeeded"


def test_a_reward_model_is_evaluated_on_held_out_pairs(assay: Client, reward_job: str) -> None:
    """Another job that begins with a checkpoint of this one has a start to be compared with."""
    curve = scored(assay, reward_job)
    assert [one["step"] for one in curve] == [2]
    names = {"pair_accuracy", "pair_margin", "pair_loss", "pair_calibration_error"}
    names |= {"pair_overconfidence"}
    for one in curve:
        assert {score["name"] for score in one["scores"]} == names
        accuracy = next(score for score in one["scores"] if score["name"] == "pair_accuracy")
        assert 0 <= accuracy["interval"][0] <= accuracy["value"] <= accuracy["interval"][1] <= 1
        for score in one["scores"]:  # the prompts of 22 pairs
            none = score["name"] == "pair_calibration_error"
            assert (score["clusters"], score["interval"] is None) == (11, none)
        margin = next(score for score in one["scores"] if score["name"] == "pair_margin")
        assert margin["design_effect"] > 0
    assert "in the training data" in curve[0]["warnings"][0]
    until(lambda: assay.request("GET", f"/v1/training_jobs/{reward_job}")["best"], 10)
    options = QUICK | {"max_steps": 1}
    again = start(assay, "reward", model=curve[-1]["id"], evaluation=HELD_PAIRS, options=options)
    assert finished(assay, again)["status"] == "succeeded"
    first, last = scored(assay, again)
    assert (first["step"], last["step"]) == (0, 1)
    margin = next(score for score in last["scores"] if score["name"] == "pair_margin")
    both = {"evaluations": [last["evaluation"], first["evaluation"]]}
    compared = assay.request("POST", "/v1/comparisons", both)
    assert compared["cluster"] == "prompt"
    same = next(one for one in compared["results"] if one["name"] == "pair_margin")
    assert same["clusters"] == 11
    assert margin["difference_interval"] == same["interval"]
    assert margin["p_value"] == same["p_value"]


@pytest.mark.parametrize(
    ("changes", "param", "part"),
    [
        ({"metrics": ["chrf"]}, "evaluation.metrics[0]", "pair_accuracy"),
        ({"dataset": "held-out"}, "evaluation.dataset", "preference"),
        ({"cluster": "passage"}, "evaluation.cluster", "'passage'"),
    ],
)
def test_what_says_nothing_of_a_reward_model_is_refused(
    assay: Client, changes: dict[str, Any], param: str, part: str
) -> None:
    held = {"dataset": "train-preference", "metrics": ["pair_accuracy"]} | changes
    with pytest.raises(AssayError, match=part) as refused:
        start(assay, "reward", evaluation=held)
    assert (refused.value.status, refused.value.param) == (422, param)


@pytest.mark.slow
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
    more = cancelled["step"] + 2
    for steps in (cancelled["step"], 0):
        with pytest.raises(AssayError) as refused:
            assay.request("POST", f"{path}/resume", {"max_steps": steps})
        assert (refused.value.status, refused.value.param) == (422, "max_steps")
    assay.request("POST", f"{path}/resume", {"max_steps": more})
    longer = finished(assay, job)
    assert (longer["status"], longer["step"], longer["total_steps"]) == ("succeeded", more, more)
    assert (longer["options"]["max_steps"], longer["error"]) == (more, None)
    series = assay.request("GET", f"{path}/metrics")["series"]
    assert [step for step, _ in series["loss"]] == list(range(1, more + 1))
    last = series["learning_rate"][-1]
    assert last == [more, pytest.approx(QUICK["learning_rate"] / more)]
    with pytest.raises(AssayError, match="max_steps") as refused:
        assay.request("POST", f"{path}/resume")
    assert refused.value.status == 409


def test_a_resumed_job_has_one_task(new_job: Any) -> None:
    """Stopped before a worker took it, its first task is still there."""
    from service.training.routes import cancel_training_job, resume_training_job

    job = new_job()
    with job.context.engine.begin() as db:
        queue.defer(db, "train.run", queue="train", job=job.id)
        for _ in range(2):
            assert cancel_training_job(job.id, db).status == "cancelled"
            resumed = resume_training_job(job.id, db)
            assert (resumed.status, resumed.finished_at) == ("queued", None)
        assert queue.depth(db)["train", "todo"] == 1


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
        ({"validation": {"dataset": "train-sft"}}, "validation.dataset", "preference"),
        ({"validation": {"dataset": "nothing"}}, "validation.dataset", "no dataset"),
        (
            {"evaluation": {"dataset": "held-out", "metrics": ["chrf"], "patience": 2}},
            "evaluation.patience",
            "select_by",
        ),
    ],
)
def test_refused(live: Live, assay: Client, changes: Any, param: str, part: str) -> None:
    before = len(assay.request("GET", "/v1/training_jobs", limit=1000)["data"])
    answer = httpx.post(f"{live.base}/v1/training_jobs", json=job_body("dpo") | changes)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["param"] == param
    assert part in answer.json()["error"]["message"]
    assert len(assay.request("GET", "/v1/training_jobs", limit=1000)["data"]) == before


def test_an_evaluation_that_cannot_work_is_refused(live: Live, assay: Client) -> None:
    """Records without a prompt: nothing could be generated for them."""
    assay.create_dataset("без вопросов", [{"references": ["Вот."]}], kind="eval")
    for dataset, code, param in [
        ("без вопросов", "missing_prompt", "evaluation.dataset"),
        ("train-sft", "wrong_kind", "evaluation.dataset"),
    ]:
        body = job_body("dpo", evaluation={"dataset": dataset, "metrics": ["chrf"]})
        error = httpx.post(f"{live.base}/v1/training_jobs", json=body).json()["error"]
        assert (error["code"], error["param"]) == (code, param)


def test_rewards_are_refused_when_they_cannot_be(live: Live, assay: Client) -> None:
    for rewards, param in [
        ([{"metric": "distinct_n"}], "options.rewards[0].metric"),
        ([{"metric": "lenght"}], "options.rewards[0].metric"),
        ([{"metric": "chrf"}, {"metric": "rouge", "name": "rougeX"}], "options.rewards[1].name"),
        ([{"metric": "pass_at_k"}], "options.rewards[0]"),
        (
            [{"metric": "pass_at_k", "params": {"timeout_s": 201}}],
            "options.rewards[0].params.timeout_s",
        ),
    ]:
        body = job_body("grpo", options=QUICK | OPTIONS["grpo"] | {"rewards": rewards})
        answer = httpx.post(f"{live.base}/v1/training_jobs", json=body)
        assert answer.status_code == 422
        assert answer.json()["error"]["param"] == param


def test_a_dry_run_says_what_would_be_and_creates_nothing(live: Live, assay: Client) -> None:
    before = [one.id for one in assay.training_jobs()]
    asked: dict[str, Any] = {"method": "sft", "model": "tiny-language", "dataset": "train-sft"}
    options = {"epochs": 2, "batch_size": 4, "max_length": 40, "truncate": True}
    found = assay.preview_training(
        **asked, options=options, validation={"dataset": "train-sft", "eval_steps": 4}
    )
    assert (found.records, found.total_steps, found.problem) == (32, 16, None)
    assert found.lengths is not None
    assert found.cut == found.lengths["over"] / 32 > 0
    assert found.validation_lengths == found.lengths
    whole = assay.preview_training(**asked, options=options | {"truncate": False})
    assert whole.problem is not None
    assert (whole.cut, whole.problem.code) == (found.cut, "too_long")
    assert "<|start|>assistant\nHello" in (found.example or "")
    body = job_body("sft", dataset="nothing")
    answer = httpx.post(f"{live.base}/v1/training_jobs?dry_run=true", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "dataset")
    assert [one.id for one in assay.training_jobs()] == before


@pytest.mark.parametrize("method", ["grpo", "ppo"])
def test_a_method_without_a_loss_of_rows_takes_no_validation(
    live: Live, assay: Client, method: str
) -> None:
    body = job_body(method, validation={"dataset": "train-prompts"})
    error = httpx.post(f"{live.base}/v1/training_jobs", json=body).json()["error"]
    assert (error["code"], error["param"]) == ("unsupported", "validation")
    assert "only dpo, kto, reward, sft take validation" in error["message"]


def test_training_rows_are_checked_one_by_one(live: Live, assay: Client) -> None:
    rows: list[Any] = [dict(PREFERENCES[0]) for _ in range(30)]
    for index in (3, 7):
        rows[index]["chosen"] = ""
    body = {"name": "bad-rows", "kind": "preference", "records": rows}
    answer = httpx.post(f"{live.base}/v1/datasets", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == "records[3]"
    assert "records[7]" in answer.json()["error"]["message"]
    assert httpx.get(f"{live.base}/v1/datasets/bad-rows").status_code == 404


def test_methods_are_listed_with_their_schemas(live: Live) -> None:
    listed = {one["id"]: one for one in httpx.get(f"{live.base}/v1/trainers").json()["data"]}
    assert {"sft", "reward", "dpo", "grpo", "ppo"} <= set(listed)
    for one in listed.values():
        assert one["objective"]
        assert "max_steps" in one["options"]["properties"]
