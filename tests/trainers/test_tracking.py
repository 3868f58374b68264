"""Curves for other tools: the series of the job, in files that those tools read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.service.training.requests import CONVERSATIONS
from tests.trainers.job.attempts import attempt, finish, here
from trainers.job.process import environment
from trainers.job.reports import by_step
from trainers.job.run import Run
from trainers.job.spec import Spec
from trainers.learning import tracking
from trainers.learning.tracking import FOLDER, Curves, curves_of, reported_to

OPTIONS: dict[str, float] = {
    "max_steps": 2,
    "save_steps": 2,
    "batch_size": 2,
    "learning_rate": 1e-3,
}


def job(folder: Path, model: Path, *tools: str, **options: float) -> Spec:
    return attempt(folder, "sft", model, CONVERSATIONS[:4], OPTIONS | options, tracking=tools)


def scalars(folder: Path, name: str) -> dict[int, float]:
    """As TensorBoard reads them, all attempts together."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulated: Any = EventAccumulator
    reader = accumulated(str(folder / FOLDER))
    reader.Reload()
    return {one.step: one.value for one in reader.Scalars(name)}


def test_curves_are_files_of_tensorboard_and_runs_of_mlflow(
    tiny_language_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = job(tmp_path / "job", tiny_language_model, "tensorboard", "mlflow")
    for name, value in environment(spec).items():
        monkeypatch.setenv(name, value)
    found = by_step(here(spec))
    assert set(found) == {1, 2}
    folder = spec.folder.parent
    for name, value in found[2].items():
        assert scalars(folder, name)[2] == pytest.approx(value)

    from mlflow import MlflowClient

    client: Any = MlflowClient(os.environ["MLFLOW_TRACKING_URI"])
    experiment = client.get_experiment_by_name("assay")
    (sent,) = client.search_runs([experiment.experiment_id])
    assert (sent.info.run_name, sent.info.status) == ("job", "FINISHED")
    losses = {one.step: one.value for one in client.get_metric_history(sent.info.run_id, "loss")}
    assert losses == {step: pytest.approx(found[step]["loss"], abs=1e-4) for step in (1, 2)}


@pytest.mark.slow
def test_a_failed_job_is_a_failed_run(tiny_language_model: Path, tmp_path: Path) -> None:
    """The process ends without what libraries do at exit: the run went on for ever."""
    from mlflow import MlflowClient

    growing = {"learning_rate": 1.0, "max_grad_norm": 1e30, "max_steps": 60, "weight_decay": 1e4}
    spec = job(tmp_path / "job", tiny_language_model, "mlflow", **growing)
    found = finish(spec)
    assert (found[-1].type, found[-1].name) == ("failed", "diverged")
    client: Any = MlflowClient(environment(spec)["MLFLOW_TRACKING_URI"])
    (sent,) = client.search_runs([client.get_experiment_by_name("assay").experiment_id])
    assert sent.info.status == "FAILED"


def test_a_lost_attempt_is_drawn_over(tmp_path: Path, tiny_language_model: Path) -> None:
    run = Run(job(tmp_path / "job", tiny_language_model, "tensorboard"))
    lost, again = Curves(run), Curves(run)
    for step in (1, 2, 3):
        lost.series(step, {"loss": 1.0})
    for step in (2, 3):
        again.series(step, {"loss": 0.5})
    assert scalars(tmp_path / "job", "loss") == {1: 1.0, 2: 0.5, 3: 0.5}


def test_what_is_not_installed_is_told_and_left_out(
    tmp_path: Path, tiny_language_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    told: list[Any] = []
    run = Run(job(tmp_path / "job", tiny_language_model, "tensorboard", "wandb"))
    monkeypatch.setattr(run, "event", lambda name, **data: told.append((name, data["package"])))
    assert (curves_of(run), reported_to(run)) == (None, "none")
    assert told == [("tracking_missing", "wandb")]


def test_nothing_is_sent_unless_it_is_asked_for(tmp_path: Path, tiny_language_model: Path) -> None:
    plain = job(tmp_path / "plain", tiny_language_model)
    assert (reported_to(Run(plain)), curves_of(Run(plain))) == ("none", None)
    assert environment(plain)["WANDB_MODE"] == "disabled"
    asked = environment(job(tmp_path / "asked", tiny_language_model, "wandb"))
    assert asked["WANDB_MODE"] == "offline"
    assert (asked["WANDB_RUN_GROUP"], asked["WANDB_CONSOLE"]) == ("asked", "off")
