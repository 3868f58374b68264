"""A training process and whoever watches it: started, looked at, asked to stop, killed.

The process is a group of its own below this one and dies with it. What it reports is stored while
the job's row still carries the attempt's number; when it does not, another worker has taken the job
over, and the group is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Collection
from contextlib import closing, suppress

from service.devices.turns import TrainingTurn
from service.jobs.context import Context
from service.models.slots import PostgresSlots
from service.processes import dies_with_parent
from service.training import store as training
from service.training.output import trim
from service.training.progress import Progress
from service.training.reports import Attempt, TakenOverError, store
from trainers.job.channel import Channel, channel
from trainers.job.process import allocator, launch
from trainers.job.reports import Reader, Report
from trainers.job.spec import CONTROL, EVENTS, LOG

LOOK_EVERY = 0.5  # seconds between looks at reports and the job's row: each stops a training thread


def supervise(context: Context, attempt: Attempt, turn: TrainingTurn) -> Report | None:
    """The last report of the process, or None when it died without one.

    Asked to pause or cancel, it may take as long for its step as it needs. Only where nothing gets
    on any more is it killed (`attempt.stalled`).
    """
    with (
        closing(PostgresSlots(context.settings.url)) as slots,
        channel(attempt.registered, slots) as behind_urls,
    ):
        process = _start(attempt, behind_urls.standard_input, turn.inherited)
        try:
            return _follow(context, attempt, turn, process, behind_urls)
        finally:
            _kill(process)


def _follow(
    context: Context,
    attempt: Attempt,
    turn: TrainingTurn,
    process: subprocess.Popen[bytes],
    behind_urls: Channel,
) -> Report | None:
    reader = Reader(attempt.folder / EVENTS)
    progress = Progress(process.pid)
    asked: str | None = None
    last: Report | None = None
    while True:
        alive = process.poll() is None
        trim(attempt.folder / LOG)
        reports = list(reader)
        last = store(context, attempt, reports) or last
        if not alive:
            attempt.status = process.returncode
            return last
        if any(report.name == "plan" for report in reports):
            turn.begin()
        wish = look(context, attempt) or release_wanted(context, attempt, turn)
        if wish is not None and asked in {None, "release"} and wish != asked:
            (attempt.folder / CONTROL).write_text(wish)
            asked = wish
            progress.mark()
        if reports or behind_urls.waiting:
            progress.mark()
        if not progress.stalled():
            context.advance()
        elif asked not in {None, "release"}:
            attempt.stalled = True
            _kill(process)
            continue
        with suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_EVERY)


def look(context: Context, attempt: Attempt) -> str | None:
    """What has been asked of the job. Raises TakenOverError."""
    if context.cancelled():
        raise TakenOverError
    with context.engine.begin() as db:
        row = training.get(db, attempt.job)
        if row is None or row.attempt != attempt.number or row.status != "running":
            raise TakenOverError
        return row.control


def release_wanted(context: Context, attempt: Attempt, turn: TrainingTurn) -> str | None:
    """The worker is to end, it is scoring's turn on the device, or the device is another job's."""
    lost = attempt.lease is not None and attempt.lease.lost
    return "release" if lost or context.released() or turn.over() else None


def _start(
    attempt: Attempt, standard_input: int, inherited: Collection[int]
) -> subprocess.Popen[bytes]:
    with (attempt.folder / LOG).open("ab") as output:
        return subprocess.Popen(
            launch(attempt.spec),
            stdin=standard_input,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=allocator() | os.environ,
            pass_fds=inherited,  # the device's lock: held for as long as anybody lives in there
            start_new_session=True,
            preexec_fn=dies_with_parent(signal.SIGKILL),  # noqa: PLW1509 (see there)
        )


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The whole group: ranks under torchrun, sandboxes of a reward."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
