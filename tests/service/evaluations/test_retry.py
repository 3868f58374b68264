"""What failed is measured again; what is measured stays, and all is as if nothing had happened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import Response
from pydantic import SecretStr
from sqlalchemy import Engine, text

from assay import AssayError, Client
from service.errors import ApiError
from service.evaluations import closing, jobs, outputs, plans, scores, shards
from service.evaluations import store as evaluations
from service.evaluations.routes import cancel_evaluation, retry_evaluation
from service.http.idempotency import IdempotencyKey
from service.jobs.context import Context
from service.models.resources import Resources
from service.settings import Settings
from tests.service import stored
from tests.service.scored import scored
from tests.service.texts import samples

METRICS = ("chrf", "distinct_n", "exact_match")  # the evidence of the second one is bulky
TEXTS = ["The vote was postponed.", "The vote was put off.", "Snow fell.", "It rained all day."]
RECORDS = [{"id": str(at), "references": ["The vote was put off."]} for at in range(len(TEXTS))]
REASON = "the compute process was killed"


@pytest.fixture
def context(fresh_url: str, tmp_path: Path) -> Context:
    url = SecretStr(fresh_url)
    settings = Settings(database_url=url, data_dir=tmp_path, shard_size=2, evidence_cache_bytes=0)
    return Context(Resources(settings, "cpu"))


def create(engine: Engine) -> str:
    with engine.begin() as db:
        evaluation = stored.create(db, "tester", RECORDS, METRICS)
        outputs.add(db, evaluation, [(at, [one]) for at, one in enumerate(TEXTS)])
    return evaluation


def run_queue(context: Context, evaluation: str) -> list[str]:
    """What a worker would do until the evaluation's tasks are done; their names."""
    handlers: dict[str, Callable[..., None]] = {
        "evaluate.plan": jobs.plan,
        "evaluate.shard": jobs.measure_shard,
        "evaluate.close": closing.close,
    }
    done: list[str] = []
    query = text(
        "DELETE FROM procrastinate_jobs WHERE id = (SELECT id FROM procrastinate_jobs"
        " WHERE args @> jsonb_build_object('evaluation', cast(:id AS text))"
        " ORDER BY priority DESC, id LIMIT 1) RETURNING task_name, args"
    )
    while True:
        with context.engine.begin() as db:
            task = db.execute(query, {"id": evaluation}).one_or_none()
        if task is None:
            return done
        handlers[task.task_name](context, **task.args)
        done.append(task.task_name)


def retry(engine: Engine, evaluation: str, key: str | None = None) -> int:
    """The status of the answer."""
    response = Response()
    with engine.begin() as db:
        once = IdempotencyKey(key, f"/{evaluation}/retry")
        retry_evaluation(evaluation, db, Settings(), response, once)
    return response.status_code


def shown(engine: Engine, evaluation: str) -> list[Any]:
    with engine.connect() as db:
        found = scores.read_scores(db, [evaluation])[evaluation]
        return [(one.name, one.value, one.low, one.high, one.n, one.error) for one in found]


def status(engine: Engine, evaluation: str) -> str | None:
    with engine.connect() as db:
        return evaluations.status(db, evaluation)


def measured(engine: Engine, evaluation: str) -> dict[tuple[int, int], str]:
    """The transaction that wrote each measurement with evidence."""
    query = text(
        "SELECT position, shard, xmin::text AS written FROM measurements"
        " WHERE evaluation_id = :id AND evidence IS NOT NULL"
    )
    with engine.connect() as db:
        return {
            (row.position, row.shard): row.written for row in db.execute(query, {"id": evaluation})
        }


@pytest.fixture
def undisturbed(engine: Engine, context: Context) -> list[Any]:
    evaluation = create(engine)
    jobs.plan(context, evaluation)
    run_queue(context, evaluation)
    return shown(engine, evaluation)


def test_a_failed_shard_is_measured_again(
    engine: Engine, context: Context, undisturbed: list[Any]
) -> None:
    evaluation = create(engine)
    jobs.plan(context, evaluation)
    with engine.begin() as db:
        shards.keep(db, evaluation, 0, 1, error={"code": "metric_failed", "message": REASON})
    run_queue(context, evaluation)
    assert status(engine, evaluation) == "succeeded"
    failed = {name: error for name, *_, error in shown(engine, evaluation) if error}
    assert {name: error["message"] for name, error in failed.items()} == {"chrf": REASON}
    before = measured(engine, evaluation)
    assert set(before) == {(0, 0), (2, 0), (2, 1)}  # distinct_n's went once it was concluded

    assert retry(engine, evaluation) == 202
    assert status(engine, evaluation) == "queued"
    tasks = run_queue(context, evaluation)
    assert tasks == ["evaluate.plan", "evaluate.shard", "evaluate.close"]
    assert status(engine, evaluation) == "succeeded"
    assert shown(engine, evaluation) == undisturbed
    after = measured(engine, evaluation)
    assert after.pop((0, 1))
    assert after == before
    assert retry(engine, evaluation) == 200  # nothing has failed any more
    assert run_queue(context, evaluation) == []


def test_a_closing_that_failed_is_made_again(
    engine: Engine, context: Context, undisturbed: list[Any]
) -> None:
    evaluation = create(engine)
    jobs.plan(context, evaluation)
    for number in range(2):
        jobs.measure_shard(context, evaluation, number)
    jobs.close_failed(context, evaluation, REASON)
    before = measured(engine, evaluation)
    assert status(engine, evaluation) == "failed"
    assert retry(engine, evaluation) == 202
    assert run_queue(context, evaluation) == ["evaluate.plan", "evaluate.close"]
    assert shown(engine, evaluation) == undisturbed
    assert measured(engine, evaluation).items() <= before.items()
    with engine.connect() as db:
        row = evaluations.get(db, evaluation)
    assert row is not None
    assert (row.status, row.error) == ("succeeded", None)


def test_a_plan_that_failed_is_made_again(
    engine: Engine, context: Context, undisturbed: list[Any]
) -> None:
    evaluation, other = create(engine), create(engine)
    jobs.plan_failed(context, evaluation, REASON)
    jobs.plan(context, other)
    with engine.begin() as db:  # one metric could not be planned
        plans.complete(db, other, 1, error={"code": "unavailable", "message": REASON})
    run_queue(context, other)
    for one in (evaluation, other):
        assert retry(engine, one) == 202
        run_queue(context, one)
        assert status(engine, one) == "succeeded"
        assert shown(engine, one) == undisturbed


def test_evidence_of_another_model_is_not_mixed_in(
    engine: Engine, context: Context, undisturbed: list[Any]
) -> None:
    evaluation = create(engine)
    jobs.plan(context, evaluation)
    jobs.measure_shard(context, evaluation, 0)
    jobs.shard_failed(context, evaluation, 1, REASON)
    before = measured(engine, evaluation)
    with engine.begin() as db:
        other = text(
            'UPDATE evaluation_metrics SET signature = \'{"name": "x", "weights": "old"}\''
            " WHERE evaluation_id = :id AND position = 2"
        )
        db.execute(other, {"id": evaluation})
    retry(engine, evaluation)
    run_queue(context, evaluation)
    after = measured(engine, evaluation)
    assert after[2, 0] != before[2, 0]
    assert after[0, 0] == before[0, 0]
    assert shown(engine, evaluation) == undisturbed


def test_only_what_has_ended_is_tried_again(engine: Engine, context: Context) -> None:
    evaluation = create(engine)
    with pytest.raises(ApiError) as refused:
        retry(engine, evaluation)
    assert (refused.value.status, refused.value.code) == (409, "not_ended")
    with engine.begin() as db:
        cancel_evaluation(evaluation, db)
    with pytest.raises(ApiError) as refused:
        retry(engine, evaluation)
    assert (refused.value.status, refused.value.code) == (409, "cancelled")
    with pytest.raises(ApiError) as refused:
        retry(engine, "eval_none")
    assert refused.value.status == 404


def test_the_same_key_is_the_same_retry(engine: Engine, context: Context) -> None:
    evaluation = create(engine)
    jobs.plan_failed(context, evaluation, REASON)
    for _ in range(2):
        assert retry(engine, evaluation, "key") == 202
    tasks = text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'evaluate.plan'")
    with engine.connect() as db:
        assert db.scalar(tasks) == 1


def test_over_http(assay: Client) -> None:
    done = scored(assay, dataset="retried", samples=samples(), metrics=["chrf"])
    again = assay.retry(done.id)
    assert (again.status, again.scores) == ("succeeded", done.scores)
    with pytest.raises(AssayError) as refused:
        assay.retry("eval_none")
    assert refused.value.status == 404
