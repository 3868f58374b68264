"""train.run: a training job, attempt after attempt, until it is over, paused or somebody else's.

An attempt is one process (`process.py`), whose reports are stored (`reports.py`) while
the job's row carries its number. It goes on from the last complete checkpoint. A process that dies
by itself is started again, up to three times without a new one; one that was told to let go, since
scoring waits for the device or the worker is to end, has saved the step at work.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection

from inference.remote.registered import Registered
from service.datasets import store as datasets
from service.devices import policy
from service.devices.turns import TrainingTurn
from service.jobs import queue
from service.jobs.context import Context, Released
from service.models import store as models
from service.models.keys import KeyMissing
from service.training import checkpoints_store as checkpoints
from service.training import reward_models
from service.training import store as training
from service.training.checkpoints_store import Checkpoint
from service.training.endings import crashed, died, finish, give_up, hand_over, stop
from service.training.held_out import score_start
from service.training.memory import fits
from service.training.placement import Lease, TooFewDevices, leased
from service.training.process import supervise
from service.training.recovery import (
    OrphanedCheckpoint,
    last_whole,
    left_by,
    remove_strays,
)
from service.training.reports import Attempt, TakenOverError, adopt
from service.training.store import TrainingJob
from trainers.job.process import DISK_FULL, FULL
from trainers.job.reports import Report
from trainers.job.spec import DATA, HELD_OUT, Spec, Validation, attempt_folder, write_records

log = logging.getLogger(__name__)

ROOM = 64 * 1024  # bytes a disk has at least that is not full: a report may not fit into less
CRASHES = 3  # of the process, without a checkpoint in between


def run(context: Context, job: str) -> None:
    """Train until the job is over, paused, or somebody else's. Raises Released where the worker is
    told to end: the task goes back to the queue, and the job keeps all its steps."""
    try:
        with (
            leased(context, job, lambda: _unwanted(context, job)) as lease,
            closing(_turns(context, lease)) as turn,
        ):
            _attempts(context, job, lease, turn)
    except TakenOverError:
        log.warning("%s is not ours any more", job)
    except KeyMissing as error:
        give_up(context, job, error.code, error.message)
    except TooFewDevices as error:
        give_up(context, job, "unsupported", str(error))
    except OSError as error:
        if error.errno not in FULL:
            raise
        give_up(context, job, "disk_full", f"{DISK_FULL} ({error})")


def run_failed(context: Context, job: str, reason: str) -> None:
    """The task has no attempt left: the job fails."""
    give_up(context, job, "gave_up", reason)


def _attempts(context: Context, job: str, lease: Lease, turn: TrainingTurn) -> None:
    crashes, last_end = 0, None
    while True:
        _take(context, job, lease, turn)
        attempt = _begin(context, job, last_end, lease)
        if attempt is None:
            return
        ended = supervise(context, attempt, turn)
        turn.let_go()
        if ended is None and shutil.disk_usage(attempt.folder).free < ROOM:
            ended = Report(type="failed", name="disk_full", data={"message": DISK_FULL})
        if ended is None:
            last_end = died(attempt)
            crashes = 0 if _last_step(context, job) > attempt.start else crashes + 1
            if crashes < CRASHES or attempt.stalled:
                continue
            ended = crashed(attempt, crashes)
        if ended.type == "stopped" and ended.name == "release":
            hand_over(context, attempt, ended.step)
            crashes, last_end = 0, None
        else:
            finish(context, attempt, ended)
            return


def _turns(context: Context, lease: Lease) -> TrainingTurn:
    names = policy.lock_paths(context.settings, context.resources.device, lease.devices)
    return TrainingTurn(names, context.settings.device_turn_seconds)


def _take(context: Context, job: str, lease: Lease, turn: TrainingTurn) -> None:
    """Waits for the device, unless something is asked of the job that needs none."""

    def idle() -> bool:
        with context.engine.connect() as db:
            return queue.idle(db, policy.SCORING)

    def unwanted() -> bool:
        if lease.lost:
            raise Released
        return _unwanted(context, job)

    turn.take(idle, unwanted)


def _unwanted(context: Context, job: str) -> bool:
    """Whether something is asked of the job that needs no device. Raises Released, TakenOverError
    where it is not this worker's to wait."""
    context.advance()  # a job that waits for its turn does not stall
    if context.released():
        raise Released
    if context.cancelled():
        raise TakenOverError
    with context.engine.connect() as db:
        row = training.get(db, job)
    return row is None or row.status not in {"queued", "running"} or row.control is not None


def _begin(
    context: Context, job: str, last_end: str | None = None, lease: Lease | None = None
) -> Attempt | None:
    """A new attempt, from the last complete checkpoint; None when there is nothing to do.

    last_end  how the process before it ended, where that had no last word
    lease     the devices that it trains on; None: the worker's own. Raises Released without them
    """
    last_attempt, found = _left(context, job)
    with context.engine.begin() as db:
        row = training.lock(db, job)
        if row is None or row.status in training.FINAL or row.status == "paused":
            return None
        if row.attempt != last_attempt:
            raise TakenOverError
        adopt(db, context, row, found)
        known = checkpoints.of_job(db, job)
        start, resume = _start(context, known, found)
        if row.control is not None:
            stop(db, row, start, last_end)
            return None
        if row.total_steps is not None and 0 < row.total_steps <= start:
            training.finish(db, job, "succeeded", {"step": start})
            return None
        if not fits(context, db, row):
            return None
        if lease is not None and lease.missing:  # what was asked for has been taken back
            raise Released
        number = row.attempt + 1
        training.start(db, job, number)
        score_start(db, context.settings, row)
        training.forget_series_after(db, job, start)
        data = _write_data(context, db, row.id, row.dataset_id, DATA)
        asked = reward_models.opened(db, context.settings, row.method, row.options)
        spec = _spec(context, db, row, number, data, resume, asked)
        if lease is not None:
            spec = spec.model_copy(update={"devices": lease.devices})
    kept = {one.path(context.settings.data_dir) for one in known} | (
        {resume} if resume is not None else set()
    )
    remove_strays(data.parent, kept)
    spec.folder.mkdir(parents=True, exist_ok=True)
    spec.write()
    return Attempt(job, number, spec.folder, spec, start, lease=lease, registered=asked)


def _left(context: Context, job: str) -> tuple[int, list[OrphanedCheckpoint]]:
    """The last attempt's number, and what it left on the disk that is not recorded. Looked for
    without the job's lock: weights are hashed."""
    with context.engine.connect() as db:
        row = training.get(db, job)
        if row is None or row.attempt == 0:
            return 0, []
        logged = {step for step, _ in training.read_series(db, job)}
        last = checkpoints.last_step(db, job)
    found = left_by(_folder(context, job), row.attempt, logged)
    return row.attempt, [one for one in found if one.step > last]


def _start(
    context: Context, known: list[Checkpoint], found: list[OrphanedCheckpoint]
) -> tuple[int, Path | None]:
    """The step to go on from, and its folder; of what was just recorded and of what was not."""
    data_dir = context.settings.data_dir
    last = last_whole(data_dir, known)
    places = [(one.step, one.folder) for one in found]
    places += [(last.step, last.path(data_dir))] if last is not None else []
    return max(places, default=(0, None))


def _folder(context: Context, job: str) -> Path:
    return context.settings.data_dir / "training" / job


def _write_data(context: Context, db: Connection, job: str, dataset: str, name: str) -> Path:
    """The dataset's records as lines of JSON, written once a job."""
    folder = _folder(context, job)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    if not path.exists():
        partial = folder / f"{name}.{os.getpid()}"
        write_records(partial, datasets.read_records(db, dataset)).replace(path)
    return path


def _spec(
    context: Context,
    db: Connection,
    row: TrainingJob,
    number: int,
    data: Path,
    resume: Path | None,
    asked: Sequence[Registered],
) -> Spec:
    settings = context.settings
    return Spec(
        job=row.id,
        attempt=number,
        method=row.method,
        options=dict(row.options),
        model=row.model,
        dataset=f"{row.dataset_name}@{row.dataset_version}",
        data=data,
        validation=_validation(context, db, row),
        folder=attempt_folder(data.parent, number),
        resume=resume,
        device=context.resources.device,
        processes=row.processes,
        fsdp=row.resources.get("fsdp"),
        model_roots=settings.model_roots,
        metric_roots=settings.metric_roots,
        cache_dir=settings.data_dir / "models",
        checkpoints=models.checkpoint_folders(db, settings, row.models),
        offline=not settings.hub_allowed,
        registered=tuple(one.name for one in asked),
        private_urls=settings.private_urls_allowed,
        tracking=settings.tracking,
    )


def _validation(context: Context, db: Connection, row: TrainingJob) -> Validation | None:
    if row.validation is None:
        return None
    path = _write_data(context, db, row.id, row.validation["dataset_id"], HELD_OUT)
    return Validation(data=path, steps=row.validation["eval_steps"])


def _last_step(context: Context, job: str) -> int:
    with context.engine.connect() as db:
        return checkpoints.last_step(db, job)
