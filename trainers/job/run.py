"""A trainer's view of its job: the records, the models, what to report, when to stop."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from inference.pool import ModelPool
from inference.remote.hooks import Slots
from inference.remote.registered import Registered
from trainers.job.checkpoints import lacking, processes_of
from trainers.job.errors import TrainingError
from trainers.job.ledger import Ledger
from trainers.job.options import Budget
from trainers.job.reports import Report, Reporter
from trainers.job.spec import CONTROL, EVENTS, Spec, read_records


class Run:
    """One attempt, from inside its process. Only rank 0 reports; any rank may fail.

    dry              whether nothing will be trained: models are made without weights
    step             optimiser steps done so far, those before a resumption included
    stopped_by       "cancel", "pause", "release" or "stop", once training stops for it
    registered       models behind URLs that rewards may ask, by name
    slots            for asking them; None: limits hold within this process
    last_checkpoint  the last complete one, of this attempt or the one it resumed from
    """

    dry = False

    def __init__(
        self,
        spec: Spec,
        rank: int = 0,
        registered: Mapping[str, Registered] | None = None,
        slots: Slots | None = None,
    ) -> None:
        self.spec = spec
        self.rank = rank
        self.step = 0
        self.registered = registered or {}
        self.slots = slots
        self.stopped_by: str | None = None
        self._pausing: TrainingError | None = None
        self.last_checkpoint = spec.resume
        self._reporter = Reporter(spec.folder / EVENTS)

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """The dataset's records, in order."""
        return read_records(self.spec.data)

    @cached_property
    def models(self) -> ModelPool:
        """Reward models and the like, for metrics that run one."""
        return ModelPool(
            roots=self.spec.model_roots,
            cache_dir=self.spec.cache_dir,
            device=self.spec.device,
            checkpoints=self.spec.checkpoints.get,
            offline=self.spec.offline,
            registered=self.registered.get,
            slots=self.slots,
            private_urls=self.spec.private_urls,
        )

    def ledger(self, budget: Budget | None) -> Ledger:
        """Of what the job's rewards are answered by URLs."""
        spec = self.spec
        return Ledger(spec.folder.parent, spec.job, budget, spec.attempt, self.rank)

    @property
    def folder(self) -> Path:
        """The attempt's own; checkpoints are written below."""
        return self.spec.folder

    @cached_property
    def resume(self) -> str | None:
        """For `Trainer.train(resume_from_checkpoint=…)`. Raises TrainingError for a checkpoint from
        which training could not go on exactly. With another number of processes it does but for
        what is drawn at random in a step: dropout, completions."""
        folder = self.spec.resume
        if folder is None:
            return None
        missing = lacking(folder)
        if missing:
            message = f"cannot resume from {folder.name}: it lacks {', '.join(missing)}"
            raise TrainingError("incomplete_checkpoint", message)
        before = processes_of(folder)
        if before != self.spec.processes:
            self.event("resized", before=before, processes=self.spec.processes)
        return str(folder)

    @property
    def stopping(self) -> str | None:
        """ "cancel", "pause", "release", "stop" once asked; looked up in the file, once a step."""
        try:
            asked = (self.spec.folder / CONTROL).read_text().strip()
        except FileNotFoundError:
            asked = ""
        return asked or ("pause" if self._pausing else None)

    def pause(self, why: TrainingError) -> None:
        """Have it pause when the optimiser step is done."""
        self._pausing = why

    def prepared(self, tokenizer: Any, ids: list[int]) -> None:
        """All records are read, the first as `ids`: what is checked is checked. Call it before
        anything needs the model's weights."""

    def series(self, step: int, values: Mapping[str, float]) -> None:
        """Values of this step; what is not finite is sent as None."""
        self._send(Report(type="series", step=step, data=dict(values)))

    def event(self, name: str, step: int = 0, **data: Any) -> None:
        """Something that a user should know, by name."""
        self._send(Report(type="event", step=step, name=name, data=data))

    def checkpoint(self, step: int, folder: Path, digest: str, due: bool = True) -> None:
        """The folder is complete: marked, and its files are on disk. Not `due`: made only to go on
        from."""
        data = {"folder": str(folder), "digest": digest, "due": due}
        self.last_checkpoint = folder
        self._send(Report(type="checkpoint", step=step, data=data))

    def finished(self, step: int) -> None:
        """All steps are done."""
        self._send(Report(type="finished", step=step))

    def stopped(self, step: int, how: str) -> None:
        """Stopped as asked: `how` is "cancel", "pause", "release" or "stop"."""
        why = self._pausing if how == "pause" else None
        data = {"code": why.code, "message": why.message, "field": why.field} if why else {}
        self._send(Report(type="stopped", step=step, name=how, data=data))

    def failed(self, step: int, error: TrainingError) -> None:
        """It cannot go on. Any rank may say so."""
        last = str(self.last_checkpoint) if self.last_checkpoint else None
        data = {"message": error.message, "field": error.field, "last_checkpoint": last}
        self._reporter.send(Report(type="failed", step=step, name=error.code, data=data))

    def _send(self, report: Report) -> None:
        if self.rank == 0:
            self._reporter.send(report)


class HeldOut(Run):
    """A run as whoever reads its records sees it, with the held-out ones in their place."""

    def __init__(self, run: Run) -> None:
        super().__init__(run.spec, run.rank, run.registered, run.slots)
        self._run = run

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """The held-out set's records, in order."""
        return read_records(self.spec.validation.data) if self.spec.validation is not None else []

    def event(self, name: str, step: int = 0, **data: Any) -> None:
        """As `validation_` and the name."""
        self._run.event(f"validation_{name}", step, **data)
