"""Pause and cancel: steps longer than anybody's patience, steps that never end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import trainers
from service.db import events
from service.training import jobs as train
from service.training import progress
from service.training import store as training
from service.training.endings import finish
from service.training.process import look
from service.training.selection import select
from tests.distributions import Site
from tests.service.training.recorded import Job
from tests.waiting import until
from trainers import GROUP
from trainers.job.reports import Report

TRAINER = """
import time

from trainers.job.checkpoints import complete
from trainers.job.declaration import Trainer
from trainers.job.options import Options


class Slow(Options):
    computing: float  # seconds of processor in the second step
    asleep: float  # and without it


def train(options, run):
    run.event("plan", total_steps=3)
    for step in (1, 2, 3):
        if step > 1:
            end = time.process_time() + options.computing
            while time.process_time() < end:
                pass
            time.sleep(options.asleep)
        run.step = step
        run.series(step, {"loss": 1.0})
        run.stopped_by = run.stopping
        if run.stopped_by:
            folder = run.folder / f"checkpoint-{step}"
            folder.mkdir()
            (folder / "model.safetensors").write_bytes(b"weights")
            run.checkpoint(step, folder, complete(folder, step))
            return


TRAINER = Trainer(
    name="slow", about="Slow.", objective="0", paper="", options=Slow, kinds=("sft", "eval"),
    produces="language", train=train,
)
"""


@pytest.fixture(autouse=True)
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A trainer of another distribution, whose steps are as long as its options say."""
    site = Site(tmp_path / "site", monkeypatch)
    site.install("assay-slow", GROUP, {"slow": "assay_slow:TRAINER"})
    (site.folder / "assay_slow.py").write_text(TRAINER)
    monkeypatch.syspath_prepend(str(site.folder))
    monkeypatch.setattr(progress, "PATIENCE", 1.0)
    trainers.catalogue.cache_clear()
    yield
    monkeypatch.undo()
    trainers.catalogue.cache_clear()


def early(job: Job) -> Any:
    return job.row.report.get("early_stop")


def test_a_job_that_gets_no_better_ends(new_job: Any) -> None:
    """By the worse end of the interval, over checkpoints whose evaluations end in any order."""
    job = new_job(patience=2)
    attempt = job.begin()
    for step in (2, 4, 6, 8):
        job.save(attempt, step)
    for step, low in [(2, 10.0), (4, 12.0), (8, 11.0)]:
        job.score(step, low)
        select(job.context, job.id)
        assert (job.row.control, early(job)) == (None, None)
    job.score(6, 11.9)
    select(job.context, job.id)
    select(job.context, job.id)  # again: told once
    best = next(one.id for one in job.checkpoints() if one.step == 4)
    assert early(job) == {"step": 8, "best": best, "checkpoints": 2}
    assert (job.row.control, job.row.best) == ("stop", best)
    assert told(job, "early_stop") == [early(job)]
    finish(job.context, attempt, Report(type="stopped", name="stop", step=8))
    assert (job.row.status, job.row.control, job.row.error) == ("succeeded", None, None)
    with job.context.engine.begin() as db:
        training.resume(db, job.row, 20)
    attempt = job.begin()
    job.save(attempt, 10)
    job.score(10, 11.0)
    select(job.context, job.id)
    assert job.row.control is None  # the patience begins anew


def stopped(job: Job, control: str, computing: float, asleep: float) -> None:
    """Trains until the job has been stopped, which is asked in the midst of its second step."""
    options = {"computing": computing, "asleep": asleep}
    with job.context.engine.begin() as db:
        training.change(db, job.id, method="slow", options=options)

    def ask() -> None:
        until(lambda: job.row.step == 1, 30)
        with job.context.engine.begin() as db:
            training.ask(db, job.id, control)

    asking = threading.Thread(target=ask)
    asking.start()
    train.run(job.context, job.id)
    asking.join()


def told(job: Job, name: str) -> list[Any]:
    with job.context.engine.connect() as db:
        return [one.data for one in events.read(db, job.id) if one.type == name]


@pytest.mark.slow
def test_a_long_step_is_let_finish(new_job: Any) -> None:
    job = new_job()
    advances: list[float] = []  # the worker, too, is told that there is progress
    job.context = replace(job.context, advance=lambda: advances.append(time.monotonic()))
    stopped(job, "pause", computing=4.0, asleep=0.5)
    assert len(advances) > 6
    assert (job.row.status, job.row.step, job.row.error) == ("paused", 2, None)
    assert [one.step for one in job.checkpoints()] == [2]
    assert told(job, "steps_lost") == []


def test_an_early_stop_is_a_success(new_job: Any) -> None:
    job = new_job()
    stopped(job, "stop", computing=2.0, asleep=0.5)
    assert (job.row.status, job.row.step, job.row.error) == ("succeeded", 2, None)
    assert [one.step for one in job.checkpoints()] == [2]


@pytest.mark.slow
@pytest.mark.parametrize(("control", "status"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_step_that_gets_nowhere_is_killed_and_its_loss_told(
    new_job: Any, control: str, status: str
) -> None:
    job = new_job()
    begun = time.monotonic()
    stopped(job, control, computing=0.0, asleep=600.0)
    assert time.monotonic() - begun < 60
    assert (job.row.status, job.row.step, job.checkpoints()) == (status, 0, [])
    (lost,) = told(job, "steps_lost")
    assert (lost["lost"], lost["step"], lost["last_checkpoint"]) == (1, 0, None)
    assert "did nothing for 1 s and was killed" in lost["message"]
    assert job.row.error == lost
    assert job.events()[-1] == status


def test_a_process_that_dies_before_it_obeys_is_told(new_job: Any) -> None:
    """Its worker is dead, too: what is left is known from the disk and the logs."""
    job = new_job()
    attempt = job.begin()
    job.log(attempt, 1, 2)
    job.save(attempt, 2)
    job.log(attempt, 3, 4, 5)
    with job.context.engine.begin() as db:
        training.ask(db, job.id, "pause")
    assert look(job.context, attempt) == "pause"
    train.run(job.context, job.id)
    (lost,) = told(job, "steps_lost")
    assert (lost["lost"], lost["step"]) == (3, 2)
    assert lost["last_checkpoint"] == job.checkpoints()[0].id
    assert (job.row.status, job.row.error["code"]) == ("paused", "steps_lost")
    with job.context.engine.begin() as db:
        training.resume(db, job.row)
    assert (job.row.status, job.row.error) == ("queued", None)


def test_a_stop_between_attempts_loses_nothing(new_job: Any) -> None:
    job = new_job()
    attempt = job.begin()
    job.log(attempt, 1, 2)
    job.leave(attempt, 2, 1, 2, due=False)
    with job.context.engine.begin() as db:
        training.ask(db, job.id, "pause")
    train.run(job.context, job.id)
    assert (job.row.status, job.row.error, job.row.step) == ("paused", None, 2)
    assert told(job, "steps_lost") == []
