"""A training job without a training process: what its process would have reported, and its rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from service.db import events
from service.evaluations import scores as results
from service.evaluations import store as evaluations
from service.jobs.context import Context
from service.training import checkpoints_store as checkpoints
from service.training import jobs as train
from service.training import store as training
from service.training.checkpoints_store import Checkpoint
from service.training.reports import Attempt, store
from service.training.store import TrainingJob
from tests.known import known
from trainers.job.checkpoints import complete, digest_of
from trainers.job.reports import Report, Reporter
from trainers.job.spec import EVENTS

WEIGHTS = "model.safetensors"


@dataclass
class Job:
    """A job in the database, and what its training process would have reported."""

    context: Context
    id: str

    def begin(self) -> Attempt:
        attempt = train._begin(self.context, self.id)
        assert attempt is not None
        return attempt

    def save(self, attempt: Attempt, step: int) -> Path:
        """A complete checkpoint of the attempt, reported and stored."""
        folder = write(attempt, step)
        data = {"folder": str(folder), "digest": digest_of(folder)}
        store(self.context, attempt, [Report(type="checkpoint", step=step, data=data)])
        return folder

    def leave(self, attempt: Attempt, step: int, *logged: int, due: bool = True) -> Path:
        """A complete checkpoint that nobody stores, and steps that only the attempt's file has."""
        reporter = Reporter(attempt.folder / EVENTS)
        for one in logged:
            reporter.send(Report(type="series", step=one, data={"loss": 0.5}))
        return write(attempt, step, due)

    def log(self, attempt: Attempt, *steps: int) -> None:
        found = [Report(type="series", step=step, data={"loss": 1.0}) for step in steps]
        store(self.context, attempt, found)

    def score(self, step: int, low: float, status: str = "succeeded", missing: int = 0) -> None:
        """The evaluation of the checkpoint of this step ends, with chrF's lower end at `low`."""
        (one,) = [one for one in self.checkpoints() if one.step == step]
        score = {
            **{"position": 0, "name": "chrf", "slice": "", "level": 0.95},
            **{"n": 8 - missing, "missing": missing},
            **{"value": low + 0.3, "low": low, "high": low + 0.6, "higher_is_better": True},
            **{"interval_method": "bootstrap", "signature": "", "warnings": [], "error": None},
        }
        with self.context.engine.begin() as db:
            if status == "succeeded":
                results.replace_scores(db, known(one.evaluation_id), [score])
            evaluations.finish(db, known(one.evaluation_id), status, {})

    def fail(self, step: int) -> None:
        """Somebody cancels the evaluation of the checkpoint of this step."""
        (one,) = [one for one in self.checkpoints() if one.step == step]
        with self.context.engine.begin() as db:
            evaluations.finish(db, known(one.evaluation_id), "cancelled", {})

    def evaluation(self, system: str) -> str:
        query = text("SELECT id FROM evaluations WHERE system = :system")
        with self.context.engine.connect() as db:
            return str(db.scalar(query, {"system": system}))

    def selections(self) -> int:
        """How many are queued."""
        query = text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'train.select'")
        with self.context.engine.connect() as db:
            return int(db.scalar(query) or 0)

    def checkpoints(self) -> list[Checkpoint]:
        with self.context.engine.connect() as db:
            return checkpoints.of_job(db, self.id)

    @property
    def row(self) -> TrainingJob:
        with self.context.engine.connect() as db:
            row = training.get(db, self.id)
        assert row is not None
        return row

    @property
    def series(self) -> list[int]:
        with self.context.engine.connect() as db:
            return [step for step, _ in training.read_series(db, self.id)]

    def events(self) -> list[str]:
        with self.context.engine.connect() as db:
            return [event.type for event in events.read(db, self.id)]

    def evaluations(self) -> list[str]:
        query = text("SELECT system FROM evaluations WHERE system LIKE :one ORDER BY id")
        with self.context.engine.connect() as db:
            found = db.scalars(query, {"one": f"{self.id}/%"})
            return [system.removeprefix(f"{self.id}/") for system in found]


def write(attempt: Attempt, step: int, due: bool = True) -> Path:
    folder = attempt.folder / f"checkpoint-{step}"
    folder.mkdir()
    (folder / WEIGHTS).write_bytes(bytes([step]) * 100)
    complete(folder, step, due)
    return folder
