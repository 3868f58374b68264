"""The one door: whichever way an evaluation ends, what follows it is deferred exactly once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from pydantic import SecretStr
from sqlalchemy import Engine, text

from service.db.migrations import configuration
from service.errors import ApiError
from service.evaluations import closing, jobs, outputs
from service.evaluations import store as evaluations
from service.evaluations.routes import cancel_evaluation
from service.evaluations.store import Task
from service.jobs.context import Context
from service.models.resources import Resources
from service.settings import Settings
from tests.service import stored

SELECT = Task("train.select", {"job": "job_x"})
RECORDS = [{"id": str(at), "references": ["The vote was put off."]} for at in range(3)]


@pytest.fixture
def context(fresh_url: str, tmp_path: Path) -> Context:
    settings = Settings(database_url=SecretStr(fresh_url), data_dir=tmp_path)
    return Context(Resources(settings, "cpu"))


def create(engine: Engine, task: Task | None = SELECT) -> str:
    with engine.begin() as db:
        evaluation = stored.create(db, "tester", RECORDS, ["chrf"], task)
        texts = [(at, ["The vote was postponed."]) for at in range(len(RECORDS))]
        outputs.add(db, evaluation, texts)
    return evaluation


def deferred(engine: Engine) -> list[dict[str, str]]:
    """The ids of the queued `train.select` tasks."""
    query = text("SELECT args FROM procrastinate_jobs WHERE task_name = 'train.select'")
    with engine.connect() as db:
        return list(db.scalars(query))


def status(engine: Engine, evaluation: str) -> str | None:
    with engine.connect() as db:
        return evaluations.status(db, evaluation)


def succeed(context: Context, evaluation: str) -> None:
    jobs.plan(context, evaluation)
    jobs.measure_shard(context, evaluation, 0)
    closing.close(context, evaluation)


def fail_planning(context: Context, evaluation: str) -> None:
    jobs.plan_failed(context, evaluation, "no such luck")


def fail_generating(context: Context, evaluation: str) -> None:
    jobs.plan(context, evaluation)
    jobs.shard_failed(context, evaluation, 0, "no such luck")


def fail_every_metric(context: Context, evaluation: str) -> None:
    jobs.plan(context, evaluation)
    with context.engine.begin() as db:
        db.execute(text('UPDATE evaluation_metrics SET error = \'{"message": "broken"}\''))
    closing.close(context, evaluation)


def fail_closing(context: Context, evaluation: str) -> None:
    jobs.plan(context, evaluation)
    jobs.measure_shard(context, evaluation, 0)
    jobs.close_failed(context, evaluation, "no such luck")


def cancel(context: Context, evaluation: str) -> None:
    with context.engine.begin() as db:
        cancel_evaluation(evaluation, db)


ENDS: dict[str, tuple[Callable[[Context, str], None], str]] = {
    "succeeded": (succeed, "succeeded"),
    "failed planning": (fail_planning, "failed"),
    "failed generating": (fail_generating, "failed"),
    "failed in every metric": (fail_every_metric, "failed"),
    "failed closing": (fail_closing, "failed"),
    "cancelled": (cancel, "cancelled"),
}


@pytest.mark.parametrize("name", ENDS)
def test_whatever_way_it_ends_one_task_follows(engine: Engine, context: Context, name: str) -> None:
    end, final = ENDS[name]
    evaluation = create(engine)
    assert deferred(engine) == []
    end(context, evaluation)
    assert status(engine, evaluation) == final
    assert deferred(engine) == [{"job": "job_x"}]
    for again in (succeed, fail_planning, fail_closing):  # handlers may run any number of times
        again(context, evaluation)
    with engine.begin() as db:
        if final == "cancelled":
            cancel_evaluation(evaluation, db)
        else:
            with pytest.raises(ApiError):
                cancel_evaluation(evaluation, db)
    assert status(engine, evaluation) == final
    assert deferred(engine) == [{"job": "job_x"}]


def test_nothing_follows_where_nothing_was_asked_for(engine: Engine, context: Context) -> None:
    evaluation = create(engine, None)
    succeed(context, evaluation)
    assert status(engine, evaluation) == "succeeded"
    assert deferred(engine) == []


def test_what_has_ended_stays_as_it_ended(engine: Engine) -> None:
    evaluation = create(engine)
    for final in ("failed", "succeeded"):
        with engine.begin() as db:
            evaluations.lock(db, evaluation)
            evaluations.finish(db, evaluation, final, {})
    assert status(engine, evaluation) == "failed"
    assert deferred(engine) == [{"job": "job_x"}]


def test_unfinished_evaluations_of_jobs_get_what_follows(engine: Engine, fresh_url: str) -> None:
    """Those that a version without `on_end` left unfinished."""
    ended, of_checkpoint, of_start, alone = (create(engine, None) for _ in range(4))
    config = configuration(fresh_url)
    command.downgrade(config, "0006")
    with engine.begin() as db:
        db.execute(
            text(
                "INSERT INTO training_jobs (id, method, model, dataset_id, options, resources,"
                " start_evaluation) SELECT 'job_y', 'sft', 'm', id, '{}', '{}', :start"
                " FROM datasets"
            ),
            {"start": of_start},
        )
        for step, evaluation in enumerate((ended, of_checkpoint)):
            db.execute(
                text(
                    "INSERT INTO checkpoints (id, job_id, step, attempt, folder, digest,"
                    " evaluation_id) VALUES (:id, 'job_y', :step, 1, '', '', :evaluation)"
                ),
                {"id": f"ckpt_{step}", "step": step, "evaluation": evaluation},
            )
        db.execute(
            text("UPDATE evaluations SET status = 'succeeded' WHERE id = :id"), {"id": ended}
        )
    command.upgrade(config, "head")
    for evaluation in (ended, of_checkpoint, of_start, alone):
        with engine.begin() as db:
            evaluations.finish(db, evaluation, "failed", {})
    assert deferred(engine) == [{"job": "job_y"}, {"job": "job_y"}]
