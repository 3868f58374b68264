"""train.run: a training process supervised, its reports stored, its checkpoints scored.

The process is a group of its own below this one and dies with it. Reports of the attempt begun here
are stored while the job's row still carries its number; when it does not, another worker has taken
the job over, and the group is killed. A process that dies by itself is started again from the last
complete checkpoint, up to three times without a new one.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection

from service import queue
from service.processes import dies_with_parent
from service.store import checkpoints, datasets, events, training
from service.work.checkpoint_files import last_whole, remove_strays
from service.work.checkpoint_scores import score_checkpoint, score_start
from service.work.context import Context
from service.work.fit import fits
from trainers.run.process import DISK_FULL, FULL, OUT_OF_MEMORY, launch
from trainers.run.reports import Reader, Report
from trainers.run.spec import CONTROL, DATA, EVENTS, LOG, Spec

log = logging.getLogger(__name__)

LOOK_EVERY = 0.2  # seconds between looks at the process, its reports and the job's row
ROOM = 64 * 1024  # bytes a disk has at least that is not full: a report may not fit into less
CRASHES = 3  # of the process, without a checkpoint in between
STOP_PATIENCE = 120.0  # seconds for the step at work and its checkpoint, once asked to stop


class TakenOverError(Exception):
    """The job's row carries another attempt's number, or is over."""


@dataclass(slots=True)
class Attempt:
    """One process of one job."""

    job: str
    number: int
    folder: Path
    spec: Spec
    status: int = 0  # of the process, once it has ended; negative: the signal


def run(context: Context, job: str) -> None:
    """Train until the job is over, paused, or somebody else's."""
    crashes = 0
    while True:
        try:
            attempt = _begin(context, job)
        except OSError as error:
            if error.errno not in FULL:
                raise
            _give_up(context, job, "disk_full", f"{DISK_FULL} ({error})")
            return
        if attempt is None:
            return
        reached = _last_step(context, job)
        try:
            ended = _supervise(context, attempt)
        except TakenOverError:
            log.warning("attempt %d of %s is not ours any more", attempt.number, job)
            return
        if ended is not None:
            _settle(context, attempt, ended)
            return
        if shutil.disk_usage(attempt.folder).free < ROOM:
            full = Report(type="failed", name="disk_full", data={"message": DISK_FULL})
            _settle(context, attempt, full)
            return
        crashes = 0 if _last_step(context, job) > reached else crashes + 1
        if crashes >= CRASHES:
            _settle(context, attempt, _crashed(attempt.status, crashes))
            return


def run_failed(context: Context, job: str, reason: str) -> None:
    """No attempt of the queue's job is left."""
    _give_up(context, job, "gave_up", reason)


def _give_up(context: Context, job: str, code: str, message: str) -> None:
    with context.engine.begin() as db:
        row = training.lock(db, job)
        if row is not None and row.status not in training.FINAL:
            error = {"code": code, "message": message}
            training.settle(db, job, "failed", {"error": error}, error)


def _begin(context: Context, job: str) -> Attempt | None:
    """A new attempt, from the last complete checkpoint; None when there is nothing to do."""
    with context.engine.begin() as db:
        row = training.lock(db, job)
        if row is None or row.status in training.FINAL or row.status == "paused":
            return None
        if row.control is not None:
            training.settle(db, job, _stopped(row.control), {"step": row.step})
            return None
        if not fits(context, db, row):
            return None
        known = checkpoints.of_job(db, job)
        last = last_whole(known)
        if last is not None and row.total_steps is not None and last.step >= row.total_steps:
            training.settle(db, job, "succeeded", {"step": last.step})
            return None
        number = row.attempt + 1
        training.begin(db, job, number)
        score_start(db, context.settings, row)
        training.forget_series_after(db, job, last.step if last else 0)
        data = _write_data(context, db, row)
        spec = _spec(context, db, row, number, data, Path(last.folder) if last else None)
    remove_strays(data.parent, {Path(one.folder) for one in known})
    spec.folder.mkdir(parents=True, exist_ok=True)
    spec.write()
    return Attempt(job, number, spec.folder, spec)


def _write_data(context: Context, db: Connection, row: Any) -> Path:
    """The dataset's records as lines of JSON, written once a job."""
    folder: Path = context.settings.data_dir / "training" / row.id
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / DATA
    if not path.exists():
        partial = folder / f"{DATA}.{os.getpid()}"
        records = datasets.read_records(db, row.dataset_id)
        partial.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
        partial.replace(path)
    return path


def _spec(
    context: Context, db: Connection, row: Any, number: int, data: Path, resume: Path | None
) -> Spec:
    settings = context.settings
    described = training.get(db, row.id)
    dataset = f"{described.dataset_name}@{described.dataset_version}" if described else ""
    return Spec(
        job=row.id,
        attempt=number,
        method=row.method,
        options=row.options,
        model=row.model,
        dataset=dataset,
        data=data,
        folder=data.parent / f"attempt-{number}",
        resume=resume,
        device=context.resources.device,
        processes=row.resources.get("processes", 1),
        fsdp=row.resources.get("fsdp"),
        model_roots=settings.model_roots,
        cache_dir=settings.data_dir / "models",
        checkpoints=_named_checkpoints(db, row),
        offline=not settings.hub_allowed,
    )


def _named_checkpoints(db: Connection, row: Any) -> dict[str, Path]:
    """Folders of the checkpoints that the job names: its model, its rewards' models."""
    names = [row.model] + [
        reward.get("params", {}).get("model", "") for reward in row.options.get("rewards", [])
    ]
    found = {name: checkpoints.folder(db, name) for name in names if name.startswith("ckpt_")}
    return {name: Path(folder) for name, folder in found.items() if folder is not None}


def _supervise(context: Context, attempt: Attempt) -> Report | None:
    """The last report of the process, or None when it died without one."""
    process = _start(attempt)
    reader = Reader(attempt.folder / EVENTS)
    asked_at: float | None = None
    last: Report | None = None
    try:
        while True:
            alive = process.poll() is None
            last = _store(context, attempt, list(reader)) or last
            if not alive:
                attempt.status = process.returncode
                return last
            asked = _look(context, attempt)
            if asked is not None and asked_at is None:
                (attempt.folder / CONTROL).write_text(asked)
                asked_at = time.monotonic()
            if asked_at is not None and time.monotonic() - asked_at > STOP_PATIENCE:
                return Report(type="stopped", name=asked or "cancel")
            time.sleep(LOOK_EVERY)
    finally:
        _kill(process)


def _start(attempt: Attempt) -> subprocess.Popen[bytes]:
    # what trains a model has no business with the database
    environment = {key: one for key, one in os.environ.items() if key != "ASSAY_DATABASE_URL"}
    with (attempt.folder / LOG).open("ab") as output:
        return subprocess.Popen(
            launch(attempt.spec),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            preexec_fn=dies_with_parent(signal.SIGKILL),  # noqa: PLW1509 (see there)
        )


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The whole group: ranks under torchrun, sandboxes of a reward."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _look(context: Context, attempt: Attempt) -> str | None:
    """What has been asked of the job. Raises TakenOverError."""
    if context.cancelled():
        raise TakenOverError
    with context.engine.begin() as db:
        row = training.get(db, attempt.job)
        if row is None or row.attempt != attempt.number or row.status != "running":
            raise TakenOverError
        return str(row.control) if row.control is not None else None


def _store(context: Context, attempt: Attempt, reports: list[Report]) -> Report | None:
    """Write the reports; returns the last word of the process, if it is among them."""
    if not reports:
        return None
    series = {report.step: report.data for report in reports if report.type == "series"}
    with context.engine.begin() as db:
        row = training.lock_attempt(db, attempt.job, attempt.number)
        if row is None:
            raise TakenOverError
        training.add_series(db, attempt.job, series)
        for report in reports:
            if report.type == "event":
                _note(db, row, report)
            elif report.type == "checkpoint":
                _keep(db, context, row, report)
    ends = [one for one in reports if one.type in {"finished", "stopped", "failed"}]
    return ends[-1] if ends else None


def _note(db: Connection, row: Any, report: Report) -> None:
    """An event; what describes the job as a whole goes into its report, too."""
    if report.name in {"lengths", "plan", "memory", "versions"}:
        known = training.get(db, row.id)
        merged = (known.report if known is not None else {}) | {report.name: report.data}
        training.change(db, row.id, report=merged)
        if report.name == "plan":
            training.change(db, row.id, total_steps=report.data.get("total_steps"))
    events.append(db, row.id, report.name, report.data | {"step": report.step})


def _keep(db: Connection, context: Context, row: Any, report: Report) -> None:
    folder, digest = str(report.data["folder"]), str(report.data["digest"])
    made = checkpoints.add(db, row.id, report.step, row.attempt, folder, digest)
    if made is None:
        known = checkpoints.replace(db, row.id, report.step, row.attempt, folder, digest)
        if known.digest == digest and known.evaluation_status != "failed":
            return
        made = str(known.id)
    evaluation = score_checkpoint(db, context.settings, row, made, report.step)
    queue.renew(db, context.job)
    told = {"checkpoint": made, "step": report.step, "evaluation": evaluation}
    events.append(db, row.id, "checkpoint", told)


def _last_step(context: Context, job: str) -> int:
    with context.engine.connect() as db:
        return max((one.step for one in checkpoints.of_job(db, job)), default=0)


def _crashed(status: int, crashes: int) -> Report:
    how = f"signal {-status}" if status < 0 else f"status {status}"
    message = f"the training process died {crashes} times without a new checkpoint ({how})"
    if status == -signal.SIGKILL:
        message += f"; if the system killed it for its memory: {OUT_OF_MEMORY}"
    return Report(type="failed", name="crashed", data={"message": message})


def _stopped(control: str) -> str:
    return "paused" if control == "pause" else "cancelled"


def _settle(context: Context, attempt: Attempt, ended: Report) -> None:
    with context.engine.begin() as db:
        row = training.lock_attempt(db, attempt.job, attempt.number)
        if row is None:
            return
        if ended.type == "finished":
            training.settle(db, attempt.job, "succeeded", {"step": ended.step})
        elif ended.type == "stopped":
            training.settle(db, attempt.job, _stopped(ended.name), {"step": ended.step})
        else:
            known = checkpoints.of_job(db, attempt.job)
            error = {
                "code": ended.name or "crashed",
                "message": ended.data.get("message", "the training process failed"),
                "param": ended.data.get("field"),
                "step": ended.step,
                "last_checkpoint": known[-1].id if known else None,
            }
            training.settle(db, attempt.job, "failed", {"error": error}, error)
