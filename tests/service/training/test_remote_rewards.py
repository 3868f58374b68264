"""GRPO whose rewards are a judge behind a URL and a server of values, within a budget."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from assay import AssayError, Client
from tests.faulty_server import KEY, faulty_server
from tests.service.live import Live
from tests.service.training.requests import QUICK, finished, start
from tests.service.training.test_survival import trainer
from tests.valuing_server import valuing
from tests.waiting import until

PRICE = {"input": 1000.0, "output": 2000.0}


def grade(body: dict[str, Any]) -> str:
    """Of a completion, and whether anybody could see the key meanwhile."""
    for process in psutil.process_iter():
        try:
            shown = [*process.cmdline(), *process.environ().values()]
        except psutil.Error:
            continue
        if any(KEY in one for one in shown):
            return "the key is in sight"
    return str(1 + sum(body["messages"][-1]["content"].encode()) % 5)


@pytest.mark.slow
def test_a_judge_and_a_server_are_rewards_within_a_budget(assay: Client, live: Live) -> None:
    with faulty_server(text=grade) as server, valuing() as values:
        assay.create_model("paid-judge", server.url, "good", api_key=KEY, price=PRICE)
        params = {"model": "paid-judge", "rubric": "fluency", "likelihoods": False}
        rewards = [
            {"metric": "judge", "params": params},
            {"metric": "remote", "params": {"url": values.url}, "weight": 0.1, "unmeasured": 0.0},
        ]
        options = QUICK | {
            **{"rewards": rewards, "num_generations": 2, "max_completion_length": 8},
            **{"max_steps": 2, "budget": {"requests": 7}},
        }
        job = start(assay, "grpo", options=options, evaluation=None)
        paused = finished(assay, job)
        assert (paused["status"], paused["step"]) == ("paused", 1), paused["error"]
        assert paused["error"]["code"] == "budget_spent"
        assert "requests 5 of 7" in paused["error"]["message"]
        assert (len(server.asked), len(values.requests)) == (4, 1)

        assay.resume_training_job(job, budget={"requests": 100, "cost": 5.0})
        done = finished(assay, job)
        assert (done["status"], done["step"]) == ("succeeded", 2), done["error"]
        asked = len(server.asked)
        assert (4 < asked <= 8, len(values.requests)) == (True, 2)
        assert all(one.headers["authorization"] == f"Bearer {KEY}" for one in server.asked)
    series = assay.training_metrics(job).series
    assert series["usage/requests"] == [(1, 5.0), (2, asked + 2.0)]
    first, last = (value or 0.0 for _, value in series["usage/cost"])
    assert 0 < first < last
    assert 1 <= (series["reward/judge"][-1][1] or 0) <= 5
    folder = Path(live.env["ASSAY_DATA_DIR"]) / "training" / job
    kept = [path for path in folder.rglob("*") if path.is_file()]
    assert {"spec.json", "log.txt", "replies.sqlite"} <= {path.name for path in kept}
    assert [path.name for path in kept if KEY.encode() in path.read_bytes()] == []
    assay.delete_model("paid-judge")


def test_cancel_does_not_wait_for_a_reward(assay: Client) -> None:
    with faulty_server(seconds=60.0) as server:
        assay.create_model("slow-judge", server.url, "good")
        params = {"model": "slow-judge", "rubric": "fluency", "likelihoods": False}
        options = QUICK | {
            **{"rewards": [{"metric": "judge", "params": params}], "num_generations": 2},
            **{"max_completion_length": 8, "max_steps": 2},
        }
        job = start(assay, "grpo", options=options, evaluation=None)
        until(lambda: server.out > 0, 120)
        assay.cancel_training_job(job)
        began = time.monotonic()
        ended = finished(assay, job)
        assert (ended["status"], ended["step"]) == ("cancelled", 0)
        assert time.monotonic() - began < 15
    assay.delete_model("slow-judge")


def test_jobs_and_evaluations_keep_to_a_models_limit_together(assay: Client) -> None:
    """One request at a time, whoever asks; what a killed process had is another's."""
    samples = [{"prompt": f"asked {at}", "references": ["4"]} for at in range(1000)]
    params = {"model": "shared", "rubric": "fluency", "likelihoods": False}
    options = QUICK | {
        **{"rewards": [{"metric": "judge", "params": params}], "num_generations": 2},
        **{"max_completion_length": 8, "max_steps": 2},
    }
    with faulty_server(seconds=0.3, text=grade) as server:

        def askers() -> str:
            """E: an evaluation's request, J: a job's."""
            said = [one.body["messages"][-1]["content"] for one in server.asked]
            return "".join("E" if one.startswith("asked") else "J" for one in said)

        assay.create_model("shared", server.url, "good", limits={"concurrency": 1})
        made = assay.evaluate(samples=samples, metrics="exact_match", model="shared")
        job = start(assay, "grpo", options=options, evaluation=None)
        until(lambda: askers().count("J") >= 3 and askers()[-1] == "J", 120, pause=0.01)
        trainer(job).kill()
        assert (server.most, server.out) == (1, 1)
        until(lambda: askers()[-1] == "E", 10)
        assay.cancel(made.id)
        assay.cancel_training_job(job)
        finished(assay, job)
        assay.wait(made.id, timeout=30)
    assay.delete_model("shared")


def test_what_a_budget_cannot_be(assay: Client) -> None:
    rewards = [{"metric": "chrf"}]
    given = QUICK | {"rewards": rewards, "num_generations": 2, "budget": {"requests": 5}}
    with pytest.raises(AssayError, match="cost nothing") as error:
        start(assay, "grpo", options=given, evaluation=None)
    assert error.value.param == "options.budget"
