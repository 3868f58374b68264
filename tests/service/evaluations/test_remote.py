"""Evaluations whose outputs are made by a model behind a URL, on a running service."""

from __future__ import annotations

import math
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from assay import AssayError, Client
from assay.models import Evaluation
from metrics import find
from metrics.core.archive import Archive
from metrics.core.verification import Options, verify
from tests.faulty_server import FaultyServer, faulty_server
from tests.service.live import Live
from tests.valuing_server import valuing
from tests.waiting import until

PRICE = {"input": 1000.0, "output": 2000.0}  # a thousandth and two of a unit a token


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyServer]:
    with faulty_server() as made:
        yield made


@pytest.fixture(autouse=True)
def reset(server: FaultyServer) -> None:
    server.asked.clear()
    server.plan.clear()
    server.seconds, server.text, server.most = 0.0, None, 0


@pytest.fixture
def model(assay: Client, server: FaultyServer) -> Iterator[str]:
    assay.create_model("far", server.url, "good", price=PRICE)
    yield "far"
    assay.delete_model("far")


def prompts(name: str, count: int) -> list[dict[str, Any]]:
    return [
        {"prompt": f"{name} {at}", "references": [f"You said: {name} {at}"]} for at in range(count)
    ]


def evaluated(assay: Client, samples: list[dict[str, Any]], **more: Any) -> Evaluation:
    given = {"metrics": "exact_match", "model": "far"} | more
    return assay.wait(assay.evaluate(samples=samples, **given).id, timeout=60)


def test_a_registered_model_is_evaluated_and_its_outputs_say_what_they_took(
    assay: Client, model: str, server: FaultyServer
) -> None:
    metrics = ["exact_match", "latency", "output_tokens", "cost"]
    done = evaluated(assay, prompts("one", 60), metrics=metrics)
    assert done.status == "succeeded", done.error
    assert done.score("exact_match").value == 1.0
    assert done.score("output_tokens").value == 4.0
    assert done.score("cost").value == pytest.approx(2 * 1e-3 + 4 * 2e-3)
    latency = done.score("latency_s")
    assert latency.value is not None
    assert latency.value > 0
    assert latency.higher_is_better is False
    assert done.usage is not None
    assert (done.usage.requests, done.usage.cached) == (60, 0)
    assert (done.usage.input_tokens, done.usage.output_tokens) == (120, 240)
    assert done.usage.cost == pytest.approx(60 * 10e-3)
    (sample, *_) = assay.samples(done.id)
    assert sample.details is not None
    (details,) = sample.details
    assert (details.finish_reason, details.model, details.fingerprint) == (
        "stop",
        "served-1",
        "fp_1",
    )
    assert (details.input_tokens, details.output_tokens, details.error) == (2, 4, None)
    assert len(server.asked) == 60


def test_what_is_the_same_each_time_is_paid_for_once(
    assay: Client, model: str, server: FaultyServer
) -> None:
    drawn = {"temperature": 1.0}
    samples = prompts("cache", 5)
    for generation, asked in (
        (None, 5),
        (None, 0),
        (drawn, 5),
        (drawn, 5),  # another evaluation's draws are its own
        (drawn | {"seed": 3}, 5),
        (drawn | {"seed": 3}, 0),
        (drawn | {"reuse": True}, 5),
        (drawn | {"reuse": True}, 0),
    ):
        server.asked.clear()
        done = evaluated(assay, samples, generation=generation)
        assert len(server.asked) == asked
        assert done.usage is not None
        assert (done.usage.requests, done.usage.cached) == (asked, 5 - asked)


def test_refusals_are_missing_and_no_text(assay: Client, model: str, server: FaultyServer) -> None:
    assay.update_model(model, limits={"concurrency": 1})
    server.plan += ["refusal", "filtered", "too_long", "good", "good", "good"]
    done = evaluated(assay, prompts("refused", 6), metrics=["exact_match", "output_tokens"])
    score = done.score("exact_match")
    assert (score.value, score.n, score.missing) == (1.0, 3, 3)
    assert any("refused" in warning for warning in score.warnings)
    assert len(done.warnings) == 3
    samples = {sample.id: sample for sample in assay.samples(done.id)}
    found = [one.details[0] for one in samples.values() if one.details]
    assert sum(one.refusal is not None for one in found) == 2
    assert sum(one.error is not None for one in found) == 1
    # what failed is asked again, and nothing else
    server.asked.clear()
    assay.retry(done.id)
    again = assay.wait(done.id, timeout=60)
    assert len(server.asked) == 1
    assert (again.score("exact_match").n, again.score("exact_match").missing) == (4, 2)


def test_nothing_answered_is_no_value(assay: Client, model: str, server: FaultyServer) -> None:
    server.plan += ["refusal"] * 3
    done = evaluated(assay, prompts("all", 3))
    assert done.status == "failed"
    assert "refused" in str(done.score("exact_match").error)


def test_a_budget_stops_before_it_is_exceeded(
    assay: Client, model: str, server: FaultyServer
) -> None:
    done = evaluated(assay, prompts("some", 9), budget={"requests": 4})
    assert done.status == "succeeded"
    assert len(server.asked) == 4
    score = done.score("exact_match")
    assert (score.value, score.n, score.missing) == (1.0, 4, 5)
    assert "5 of 9 outputs were not asked for: the budget was spent" in done.warnings
    assert done.budget == {"requests": 4}
    assert done.usage is not None
    assert done.usage.requests == 4

    done = evaluated(
        assay, prompts("cost", 40), budget={"cost": 0.2}, generation={"max_new_tokens": 8}
    )
    assert done.usage is not None
    assert done.usage.cost is not None
    # each takes 0.01, and might take 0.04: no more than one of those is left over
    assert 0.15 <= done.usage.cost <= 0.2
    assert done.usage.requests == len(server.asked) - 4


def test_a_retry_judges_what_a_spent_budget_had_no_room_for(
    assay: Client, model: str, server: FaultyServer
) -> None:
    server.text = lambda body: "3"
    params = {"model": "far", "rubric": "{{ output }}", "likelihoods": False, "temperature": 1.0}
    samples = [{"output": f"raised for judges {at}"} for at in range(5)]
    metrics: list[Any] = [{"name": "judge", "params": params}, "length"]
    made = assay.evaluate(system="s", samples=samples, metrics=metrics, budget={"requests": 2})
    done = assay.wait(made.id, timeout=60)
    assert (done.score("judge").n, done.score("judge").missing) == (2, 3)
    length = done.score("length")
    assay.retry(done.id, budget={"requests": 4})
    again = assay.wait(done.id, timeout=60)
    assert (again.score("judge").n, again.score("judge").missing) == (4, 1)
    assert again.score("length") == length
    assert again.usage is not None
    assert again.usage.requests == len(server.asked) == 4


def test_a_retry_raises_a_spent_budget(assay: Client, model: str, server: FaultyServer) -> None:
    done = evaluated(assay, prompts("raised", 9), budget={"requests": 4})
    assay.retry(done.id)  # nothing has failed
    with pytest.raises(AssayError, match="4 requests are spent") as raised:
        assay.retry(done.id, budget={"requests": 3})
    assert (raised.value.status, raised.value.param) == (422, "budget.requests")
    assert len(server.asked) == 4
    assay.retry(done.id, budget={"requests": 7})
    again = assay.wait(done.id, timeout=60)
    assert (again.status, again.budget) == ("succeeded", {"requests": 7})
    assert "2 of 9 outputs were not asked for: the budget was spent" in again.warnings
    score = again.score("exact_match")
    assert (score.value, score.n, score.missing) == (1.0, 7, 2)
    assert again.usage is not None
    assert again.usage.requests == len(server.asked) == 7


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"model": "tiny-language", "budget": {"tokens": 5}}, "budget"),
        ({"budget": {}}, "budget"),
        ({"generation": {"chat": False}}, "generation.chat"),
    ],
)
def test_what_cannot_be_is_refused(
    assay: Client, model: str, more: dict[str, Any], param: str
) -> None:
    with pytest.raises(AssayError) as raised:
        evaluated(assay, prompts("x", 1), **more)
    assert (raised.value.status, raised.value.param) == (422, param)


def test_details_are_of_outputs_that_were_generated(assay: Client) -> None:
    with pytest.raises(AssayError, match="generates") as raised:
        assay.evaluate(system="s", samples=[{"output": "a"}], metrics=["latency"])
    assert (raised.value.status, raised.value.code) == (422, "missing_details")


def test_local_models_tell_their_tokens(assay: Client) -> None:
    done = evaluated(
        assay,
        prompts("here", 2),
        model="tiny-language",
        metrics=["output_tokens", "latency"],
        generation={"max_new_tokens": 5},
    )
    assert done.usage is None
    value = done.score("output_tokens").value
    assert value is not None
    assert 1 <= value <= 5
    assert "how long" in str(done.score("latency_s").error)
    (sample, *_) = assay.samples(done.id)
    assert sample.details is not None
    assert sample.details[0].finish_reason in {"stop", "length"}


def test_a_server_that_dies_loses_nothing(assay: Client, model: str, server: FaultyServer) -> None:
    assay.update_model(model, limits={"concurrency": 2})
    server.plan += ["good"] * 20 + ["refused_key"] * 4
    samples = prompts("dies", 60)
    done = evaluated(assay, samples, generation={"temperature": 1.0})
    assert done.status == "failed"
    assert done.error is not None
    assert done.error.code == "generation_failed"
    assert "key" in done.error.message
    server.plan.clear()
    server.asked.clear()
    assay.retry(done.id)
    again = assay.wait(done.id, timeout=60)
    assert again.status == "succeeded"
    assert len(server.asked) == 40
    assert again.usage is not None
    assert again.usage.requests == 60


def test_a_server_that_dies_halfway_through_thousands_loses_nothing(
    assay: Client, model: str, server: FaultyServer
) -> None:
    assay.update_model(model, limits={"concurrency": 64})
    count, half = 2000, 1000
    server.plan += ["good"] * half + ["refused_key"] * 64
    samples = prompts("thousands", count)
    done = evaluated(assay, samples, generation={"temperature": 1.0})
    assert (done.status, done.error and done.error.code) == ("failed", "generation_failed")
    assert done.usage is not None
    assert done.usage.requests == half  # all that were answered are kept
    server.plan.clear()
    server.asked.clear()
    assay.retry(done.id)
    again = assay.wait(done.id, timeout=60)
    assert (again.status, again.score("exact_match").n) == ("succeeded", count)
    assert again.usage is not None
    assert (again.usage.requests, len(server.asked)) == (count, count - half)


def test_what_outputs_took_is_on_boards_and_fronts(
    assay: Client, model: str, server: FaultyServer
) -> None:
    metrics = ["exact_match", "latency", "output_tokens", "cost"]
    samples = prompts("front", 6)
    dataset = f"took-{os.getpid()}"
    for system, said in (("short", "one"), ("long", "one two three")):
        server.text = lambda body, said=said: said
        evaluated(
            assay,
            samples,
            metrics=metrics,
            dataset=dataset,
            system=system,
            generation={"temperature": 1.0},
        )
    took = ["latency_s", "output_tokens", "cost"]
    boards = {score: assay.leaderboard(dataset, score) for score in took}
    for board in boards.values():
        assert {row.system for row in board.rows} == {"short", "long"}
        assert board.higher_is_better is False
    assert [row.system for row in boards["cost"].rows] == ["short", "long"]
    front = assay.pareto(dataset, ["exact_match", *took[1:]])
    assert {row.system: row.on_front for row in front.rows} == {"short": True, "long": False}
    assert [score.higher_is_better for score in front.scores] == [True, False, False]


def test_cancel_of_likelihoods_is_noticed_at_once(
    assay: Client, model: str, server: FaultyServer
) -> None:
    assay.update_model(model, limits={"concurrency": 2})
    params = {"model": model, "add_bos": False}
    samples = [{"output": f"cancelled text {at}"} for at in range(400)]
    server.seconds = 0.3
    made = assay.evaluate(
        system="s", samples=samples, metrics=[{"name": "perplexity", "params": params}]
    )
    until(lambda: len(server.asked) >= 12, 30)
    assay.cancel(made.id)
    count = len(server.asked)
    until(lambda: server.out == 0, 10)
    assert len(server.asked) - count <= 20  # three seconds of two at a time


def test_cancel_drops_what_is_out(assay: Client, model: str, server: FaultyServer) -> None:
    assay.update_model(model, limits={"concurrency": 4})
    server.seconds = 0.2
    made = assay.evaluate(samples=prompts("stop", 500), metrics="exact_match", model=model)
    until(lambda: len(server.asked) >= 8, 20)
    assay.cancel(made.id)
    until(lambda: server.out == 0, 10)
    count = len(server.asked)
    assert count < 100


def test_details_go_with_the_archive(
    assay: Client, model: str, server: FaultyServer, tmp_path: Path
) -> None:
    """Else a refusal would be scored as an empty text where the archive is verified."""
    server.plan += ["refusal"]
    done = evaluated(assay, prompts("kept", 5), metrics=["exact_match", "cost"])
    assay.archive(done.id, tmp_path / "one.zip")
    with (tmp_path / "one.zip").open("rb") as file:
        checks = list(verify(Archive(file), find, Options(fraction=1.0)))
    assert {check.status for check in checks} == {"equal"}
    report = assay.audit(done.id, fraction=1.0)
    assert (report.samples, report.mismatches) == (5, 0)


def test_likelihoods_of_a_registered_model(assay: Client, model: str) -> None:
    sample = {"prompt": "one two", "metadata": {"choices": ["three", "seventeen"], "answer": 0}}
    metrics = [
        {"name": "perplexity", "params": {"model": model, "add_bos": False}},
        {"name": "choice_accuracy", "params": {"model": model}},
        {"name": "perplexity", "params": {"model": model}},
    ]
    made = assay.evaluate(system="s", samples=[sample | {"output": "a b"}], metrics=metrics)
    done = assay.wait(made.id, timeout=60)
    assert done.score("perplexity").value == pytest.approx(math.exp(2 / 8))
    assert done.score("acc").value == 1.0
    assert "add_bos" in str(done.scores[-1].error)


@pytest.mark.slow
def test_a_killed_process_pays_for_nothing_twice(
    new_database: Callable[[], str], data_dir: Path, models_root: Path, server: FaultyServer
) -> None:
    """And two at work keep to the limits together."""
    url = new_database()
    service = Live(url, data_dir, model_roots=str(models_root), shard_size="50")
    try:
        service.api()
        workers = [service.worker("score"), service.worker("score")]
        with service.client() as assay:
            assay.create_model("far", server.url, "good", limits={"concurrency": 6})
            server.seconds = 0.1
            generation = {"temperature": 1.0}
            samples = prompts("kill", 200)
            made = assay.evaluate(
                samples=samples, metrics="exact_match", model="far", generation=generation
            )
            until(lambda: len(server.asked) >= 60, 60)
            assert any(killed_compute(worker.pid) for worker in workers)  # one who asks
            stored = replies_stored(url)
            lost = len(server.asked) - stored  # at most: what was out, and what had just come
            done = assay.wait(made.id, timeout=90)
        assert done.status == "succeeded"
        times = Counter(str(one.body["messages"]) for one in server.asked)
        assert len(times) == 200
        assert sum(count - 1 for count in times.values()) <= lost < 30
        assert server.most <= 6
        assert replies_stored(url) == 200
        server.asked.clear()
        kills_exceed_no_budget(service, workers, server)
        kills_lose_no_judgement(service, workers, server, done.id)
    finally:
        service.close()


def replies_stored(url: str) -> int:
    with psycopg.connect(url) as db:
        (stored,) = db.execute("SELECT count(*) FROM replies").fetchone() or (0,)
    return int(stored)


def kills_exceed_no_budget(
    service: Live, workers: Sequence[subprocess.Popen[bytes]], server: FaultyServer
) -> None:
    """What was out is charged: it may have been answered, and its answers are lost."""
    with service.client() as assay:
        assay.update_model("far", price=PRICE)
        server.seconds = 0.3
        made = assay.evaluate(
            samples=prompts("bound", 60),
            metrics="exact_match",
            model="far",
            generation={"max_new_tokens": 8},
            budget={"requests": 40},
        )
        until(lambda: len(server.asked) >= 15, 60)
        killed = [killed_compute(worker.pid) for worker in workers]  # all who ask
        assert any(killed)
        done = assay.wait(made.id, timeout=90)
    used = done.usage
    assert used is not None
    assert used.unanswered is not None
    assert used.unanswered.requests >= 1
    assert used.requests + used.unanswered.requests == 40
    assert len(server.asked) <= 40
    assert done.score("exact_match").n == used.requests
    sent = 24 + 8  # "bound 12" has at most 8 bytes, its turn 16 tokens; an answer may have 8
    assert used.unanswered.tokens == used.unanswered.requests * sent
    assert used.unanswered.cost == pytest.approx(used.unanswered.requests * 40e-3)


def kills_lose_no_judgement(
    service: Live,
    workers: Sequence[subprocess.Popen[bytes]],
    server: FaultyServer,
    evaluation: str,
) -> None:
    """A model that annotates goes on where it was, and is asked nothing twice that was stored."""
    server.seconds, server.text = 0.1, lambda body: "4"
    server.asked.clear()
    scale = [{"name": "help", "scale": [1, 5]}]
    with service.client() as assay:
        project = assay.create_annotation_project("killed", [evaluation], "likert", criteria=scale)
        assay.add_model_annotator(project.id, "far", "far")
        until(lambda: len(server.asked) >= 60, 60)
        killed = [killed_compute(worker.pid) for worker in workers]
        assert any(killed)
        workers[0].kill()  # and one with all that it had
        until(lambda: next(iter(assay.annotators(project.id))).status == "done", 90)
        votes = list(assay.annotation_votes(project.id, annotators="models"))
    server.text = None
    assert len({one.item for one in votes}) == len(votes) == 200
    assert {one.answer["ratings"]["help"] for one in votes} == {4}
    assert len(server.asked) < 200 + 30


def killed_compute(worker: int) -> bool:
    """Whether the worker had a compute process that asks servers, which is no more."""
    for child in psutil.Process(worker).children(recursive=True):
        if "--at-once=16" in child.cmdline():
            os.kill(child.pid, signal.SIGKILL)
            return True
    return False


def test_judges_and_servers_of_values_pay_from_the_same_budget(
    assay: Client, model: str, server: FaultyServer
) -> None:
    def said(body: dict[str, Any]) -> str:
        asked = str(body["messages"][-1]["content"])
        return "4" if "judge" in asked else "an answer" if "paid" in asked else asked

    server.text = said
    judge = {
        "name": "judge",
        "params": {"model": "far", "rubric": "{{ output }}: judge", "likelihoods": False},
    }
    with valuing() as values:
        remote = {"name": "remote", "params": {"url": values.url}}
        done = evaluated(assay, prompts("paid", 4), metrics=[judge, remote])
        assert done.usage is not None
        assert done.usage.metrics is not None
        assert (done.usage.requests, done.usage.metrics.requests) == (6, 2)
        assert done.usage.tokens > done.usage.metrics.tokens > 0
        assert done.usage.cost is not None
        assert (done.usage.cost > done.usage.metrics.cost) if done.usage.metrics.cost else False
        assert (done.score("judge").value, done.score("remote").value) == (4.0, 9.0)

        short = evaluated(
            assay, prompts("short", 4), metrics=[judge, remote], budget={"requests": 6}
        )
        grade, valued = short.score("judge"), short.score("remote")
        assert short.usage is not None
        assert short.usage.requests == 6
        assert (grade.n, grade.missing, valued.n, valued.missing) == (2, 2, 0, 4)
        assert any("budget was spent" in warning for warning in grade.warnings)
        assert len(values.requests) == 1

    with pytest.raises(AssayError, match="cost nothing") as error:
        assay.evaluate(
            samples=[{"output": "a"}], metrics="length", system="x", budget={"requests": 1}
        )
    assert error.value.param == "budget"
