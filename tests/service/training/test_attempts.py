"""Attempts and checkpoints without a training process: what a stale attempt may write, what a new
one starts from, which files stay, what is told of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from service.db import events
from service.evaluations.jobs import plan_failed
from service.jobs.context import Context
from service.models.resources import Resources
from service.training import jobs as train
from service.training import store as training
from service.training.endings import finish
from service.training.process import look
from service.training.reports import TakenOverError, store
from service.training.selection import select
from service.training.views import curve
from tests.service.training.recorded import WEIGHTS, Job
from trainers.job.reports import Report


def test_rewards_are_looked_up_where_metrics_are(new_job: Any, tmp_path: Path) -> None:
    assert new_job().begin().spec.metric_roots == (tmp_path / "metrics",)


def test_a_stale_attempt_writes_nothing(new_job: Any) -> None:
    job = new_job()
    stale = job.begin()
    job.log(stale, 1, 2, 3)
    first = job.save(stale, 2)
    fresh = job.begin()
    assert (stale.number, fresh.number) == (1, 2)
    assert fresh.spec.resume == first
    assert fresh.folder != stale.folder
    assert job.series == [1, 2]
    before = (job.row, job.series, job.checkpoints(), job.events())
    for write in (
        lambda: job.log(stale, 3),
        lambda: job.save(stale, 4),
        lambda: store(job.context, stale, [Report(type="event", name="plan")]),
        lambda: look(job.context, stale),
    ):
        with pytest.raises(TakenOverError):
            write()
    finish(job.context, stale, Report(type="finished", step=8))
    finish(job.context, stale, Report(type="failed", name="diverged"))
    assert (job.row, job.series, job.checkpoints(), job.events()) == before
    job.log(fresh, 3)
    assert job.series == [1, 2, 3]
    assert look(job.context, fresh) is None


def test_a_checkpoint_reported_again_is_evaluated_once(new_job: Any) -> None:
    job = new_job()
    attempt = job.begin()
    folder = job.save(attempt, 2)
    (one,) = job.checkpoints()
    data = {"folder": str(folder), "digest": one.digest}
    for _ in range(2):
        again = Report(type="checkpoint", step=2, data=data)
        store(job.context, attempt, [again, again])
    job.begin()
    assert job.evaluations() == ["start", "2"]
    assert job.events().count("checkpoint") == 1
    assert [(known.id, known.evaluation_id) for known in job.checkpoints()] == [
        (one.id, one.evaluation_id)
    ]


def test_a_truncated_checkpoint_is_ignored_and_replaced(new_job: Any) -> None:
    job = new_job()
    attempt = job.begin()
    whole, broken = job.save(attempt, 2), job.save(attempt, 4)
    half_written = attempt.folder / "checkpoint-6"
    half_written.mkdir()
    (half_written / WEIGHTS).write_bytes(b"half")
    (broken / WEIGHTS).write_bytes(b"")
    job.score(4, 0.0, "failed")
    fresh = job.begin()
    assert fresh.spec.resume == whole
    assert not half_written.exists()
    before = {one.step: one.id for one in job.checkpoints()}
    folder = job.save(fresh, 4)
    assert {one.step: one.id for one in job.checkpoints()} == before
    assert job.checkpoints()[-1].path(job.context.settings.data_dir) == folder
    assert job.checkpoints()[-1].evaluation_status == "queued"


def test_what_was_complete_but_not_recorded_is_adopted(new_job: Any) -> None:
    """The supervisor died in between; two of them, since it stood still before."""
    job = new_job()
    attempt = job.begin()
    job.log(attempt, 1, 2, 3)
    job.save(attempt, 2)
    job.leave(attempt, 4, 3, 4)
    newest = job.leave(attempt, 6, 5, 6, 7)
    fresh = job.begin()
    assert (fresh.spec.resume, fresh.start) == (newest, 6)
    assert job.series == [1, 2, 3, 4, 5, 6]
    assert [(one.step, one.attempt) for one in job.checkpoints()] == [(2, 1), (4, 1), (6, 1)]
    assert job.evaluations() == ["start", "2", "4", "6"]
    assert job.begin().spec.resume == newest
    assert job.evaluations() == ["start", "2", "4", "6"]
    assert job.events().count("checkpoint") == 3


def test_a_moved_data_folder_keeps_its_checkpoints(new_job: Any, tmp_path: Path) -> None:
    """Those recorded, and one made only to go on from, which the next attempt's files name."""
    job = new_job()
    first = job.begin()
    job.log(first, 1, 2)
    job.save(first, 2)
    job.leave(first, 4, 3, 4, due=False)
    assert job.begin().start == 4
    elsewhere = tmp_path / "moved"
    elsewhere.mkdir()
    (tmp_path / "training").rename(elsewhere / "training")
    settings = job.context.settings.model_copy(update={"data_dir": elsewhere})
    moved = Job(Context(Resources(settings, "cpu")), job.id)
    assert [one.path(elsewhere).is_dir() for one in moved.checkpoints()] == [True]
    fresh = moved.begin()
    assert fresh.start == 4
    assert fresh.spec.resume == elsewhere / "training" / job.id / "attempt-1" / "checkpoint-4"
    assert moved.series == [1, 2, 3, 4]


def test_what_an_orphan_completes_later_is_not_adopted(new_job: Any) -> None:
    job = new_job()
    orphan = job.begin()
    job.log(orphan, 1, 2)
    first = job.save(orphan, 2)
    fresh = job.begin()
    late = job.leave(orphan, 4, 3, 4)
    again = job.begin()
    assert (fresh.spec.resume, again.spec.resume) == (first, first)
    assert not late.exists()
    assert (job.series, job.evaluations()) == ([1, 2], ["start", "2"])


@pytest.mark.parametrize("wrong", ["weights", "logs"])
def test_what_does_not_add_up_is_not_adopted(new_job: Any, wrong: str) -> None:
    job = new_job()
    attempt = job.begin()
    job.log(attempt, 1, 2)
    first = job.save(attempt, 2)
    left = job.leave(attempt, 4, *([3, 4] if wrong == "weights" else [4]))
    if wrong == "weights":  # of the same size
        (left / WEIGHTS).write_bytes(bytes(100))
    assert job.begin().spec.resume == first
    assert not left.exists()
    assert (job.series, job.evaluations()) == ([1, 2], ["start", "2"])


def test_the_last_checkpoint_may_be_adopted(new_job: Any) -> None:
    job = new_job()
    attempt = job.begin()
    store(job.context, attempt, [Report(type="event", name="plan", data={"total_steps": 2})])
    job.leave(attempt, 2, 1, 2)
    assert train._begin(job.context, job.id) is None
    assert (job.row.status, job.evaluations()) == ("succeeded", ["start", "2"])


def test_what_was_saved_only_to_go_on_from_is_no_checkpoint(new_job: Any) -> None:
    job = new_job()
    attempt = job.begin()
    job.log(attempt, 1, 2, 3)
    job.save(attempt, 2)
    point = job.leave(attempt, 3, 1, 2, 3, due=False)
    second = job.begin()
    assert (second.spec.resume, second.start) == (point, 3)
    third = job.begin()  # the second died before its first step
    assert (third.spec.resume, job.series) == (point, [1, 2, 3])
    assert [one.step for one in job.checkpoints()] == [2]
    job.log(third, 4)
    job.save(third, 4)
    assert not point.exists()
    assert job.evaluations() == ["start", "2", "4"]


def test_nothing_is_trained_after_the_last_step(new_job: Any) -> None:
    """The worker died between the last checkpoint and the end."""
    job = new_job()
    attempt = job.begin()
    plan = Report(type="event", name="plan", data={"total_steps": 4})
    store(job.context, attempt, [plan])
    job.save(attempt, 4)
    assert train._begin(job.context, job.id) is None
    assert (job.row.status, job.row.attempt) == ("succeeded", 1)


def test_who_leaves_samples_blank_is_not_the_best(new_job: Any) -> None:
    job = new_job()
    attempt = job.begin()
    for step in (1, 2, 3):
        job.save(attempt, step)
    for step, low, missing in ((1, 0.2, 0), (2, 0.9, 3), (3, 0.4, 0)):
        job.score(step, low, missing=missing)
    select(job.context, job.id)
    assert job.row.best == next(one.id for one in job.checkpoints() if one.step == 3)


def test_the_last_and_the_best_stay(new_job: Any) -> None:
    job = new_job(keep_last=2)
    attempt = job.begin()
    folders = {step: job.save(attempt, step) for step in range(1, 7)}
    named = next(one for one in job.checkpoints() if one.step == 3)
    user = new_job(model=named.id)
    fourth = next(one for one in job.checkpoints() if one.step == 4)
    new_job(model=f"{fourth.id}0")  # another model, whose name begins with the checkpoint's
    for step, low in enumerate([0.1, 0.9, 0.2, 0.3], 1):
        job.score(step, low)
    best = next(one for one in job.checkpoints() if one.step == 2).id
    for _ in range(2):
        select(job.context, job.id)
        assert job.row.best == best
        assert {step for step, folder in folders.items() if folder.exists()} == {2, 3, 5, 6}
    assert [one.step for one in job.checkpoints() if one.deleted] == [1, 4]
    assert job.events().count("best") == 1
    with job.context.engine.begin() as db:  # nobody names it any more
        training.finish(db, user.id, "cancelled", {})
    folders[4].mkdir()  # whoever was to remove it died
    select(job.context, job.id)
    assert {step for step, folder in folders.items() if folder.exists()} == {2, 5, 6}


def test_a_checkpoint_is_kept_for_its_evaluation(new_job: Any) -> None:
    job = new_job(keep_last=1, select_by=None)
    attempt = job.begin()
    first, second = job.save(attempt, 1), job.save(attempt, 2)
    select(job.context, job.id)
    assert first.exists()
    job.score(1, 0.5)
    select(job.context, job.id)
    assert not first.exists()
    assert second.exists()


def test_a_failed_evaluation_is_told_and_blocks_nothing(new_job: Any) -> None:
    """Of the start, of the best one's neighbour, of the last: the others count all the same."""
    job = new_job(keep_last=1)
    attempt = job.begin()
    folders = [job.save(attempt, step) for step in (1, 2, 3, 4)]
    job.score(1, 0.1)
    job.score(2, 0.5)
    ends = {f"{job.id}/{step}": plan_failed for step in ("start", 3)}
    for system, fail in ends.items():
        fail(job.context, job.evaluation(system), "no such luck")
    assert job.selections() == 4  # one for each that has ended
    job.fail(4)
    select(job.context, job.id)
    select(job.context, job.id)
    best = job.checkpoints()[1]
    assert job.row.best == best.id
    assert [folder.exists() for folder in folders] == [False, True, False, True]
    with job.context.engine.connect() as db:
        told = [one.data for one in events.read(db, job.id) if one.type == "evaluation_failed"]
        shown = curve(db, job.context.settings, job.row)
    assert sorted(one["step"] for one in told) == [0, 3, 4]
    assert {(one["error"] or {}).get("message") for one in told} == {"no such luck", None}
    assert [one.evaluation_status for one in shown] == [
        *("failed", "succeeded", "succeeded", "failed", "cancelled")
    ]
    assert (shown[0].evaluation_error or {})["code"] == "planning_failed"


def test_a_failed_job_goes_on_from_its_last_checkpoint(new_job: Any) -> None:
    job = new_job()
    attempt = job.begin()
    folder = job.save(attempt, 2)
    finish(job.context, attempt, Report(type="failed", name="disk_full", step=3))
    assert job.row.error["code"] == "disk_full"
    assert job.row.error["last_checkpoint"] == job.checkpoints()[0].id
    assert train._begin(job.context, job.id) is None
    with job.context.engine.begin() as db:
        training.finish(db, job.id, "queued", {})
    assert job.begin().spec.resume == folder
    assert (job.row.error, job.row.finished_at) == (None, None)
