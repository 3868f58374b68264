"""Which checkpoints keep their files, and which what only a resumed run needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.training import store as training
from service.training.recovery import last_whole
from service.training.reports import Attempt, store
from tests.service.training.recorded import WEIGHTS, Job
from trainers.job.checkpoints import complete, digest_of, drop_state, is_complete, marker
from trainers.job.reports import Report

STATE = ("optimizer.pt", "scheduler.pt", "rng_state.pth", "on_policy/value.safetensors")


@pytest.fixture
def unscored(new_job: Callable[..., Job]) -> Callable[..., Job]:
    """A job without an evaluation."""

    def make(**resources: Any) -> Job:
        job = new_job()
        with job.context.engine.begin() as db:
            training.change(db, job.id, evaluation=None, resources=resources)
        return job

    return make


def save(job: Job, attempt: Attempt, step: int) -> Path:
    """A complete checkpoint with all that a resumption needs, reported."""
    folder = attempt.folder / f"checkpoint-{step}"
    for name in (WEIGHTS, "trainer_state.json", *STATE):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_bytes(bytes([step]) * 100)
    complete(folder, step)
    data = {"folder": str(folder), "digest": digest_of(folder)}
    store(job.context, attempt, [Report(type="checkpoint", step=step, data=data)])
    return folder


def test_without_an_evaluation_the_last_ones_stay(unscored: Callable[..., Job]) -> None:
    job = unscored(keep_last=2)
    attempt = job.begin()
    folders = [save(job, attempt, step) for step in range(1, 6)]
    assert [folder.exists() for folder in folders] == [False, False, False, True, True]
    assert [one.step for one in job.checkpoints() if one.deleted] == [1, 2, 3]
    whole = unscored()
    attempt = whole.begin()
    assert all(folder.exists() for folder in [save(whole, attempt, step) for step in (1, 2, 3)])


@pytest.mark.parametrize("kept", [False, True])
def test_old_states_of_the_optimiser_go(unscored: Callable[..., Job], kept: bool) -> None:
    """All but the last two: they take twice the room of the weights."""
    job = unscored(keep_optimizer_states=kept)
    attempt = job.begin()
    folders = [save(job, attempt, step) for step in (1, 2, 3)]
    assert [(folders[0] / name).exists() for name in STATE] == [kept] * 4
    for folder in folders[1:]:
        assert all((folder / name).exists() for name in STATE)
    assert all(map(is_complete, folders))
    assert (folders[0] / WEIGHTS).exists()
    assert digest_of(folders[0]) == job.checkpoints()[0].digest
    (folders[2] / WEIGHTS).unlink()
    found = last_whole(job.context.settings.data_dir, job.checkpoints())
    assert found is not None
    assert found.step == 2
    (folders[1] / WEIGHTS).unlink()
    left = last_whole(job.context.settings.data_dir, job.checkpoints())
    assert (left is not None) is kept  # training would not go on from it exactly


def test_dropped_half_way_it_is_complete(tmp_path: Path) -> None:
    """The marker says first what will be left; files that are still there go the next time."""
    for name in (WEIGHTS, "optimizer.pt", "scheduler.pt"):
        (tmp_path / name).write_bytes(b"x")
    complete(tmp_path, 3)
    drop_state(tmp_path)
    (tmp_path / "scheduler.pt").write_bytes(b"x")  # as if it had been killed before
    said = marker(tmp_path)
    assert said is not None
    assert (said.step, said.resumable, set(said.files)) == (3, False, {WEIGHTS})
    drop_state(tmp_path)
    assert not (tmp_path / "scheduler.pt").exists()
