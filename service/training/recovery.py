"""The folders of a training job's checkpoints."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from service.training.checkpoints_store import Checkpoint
from trainers.job.checkpoints import PATTERN, digest_of, marker
from trainers.job.reports import Reader, by_step
from trainers.job.spec import EVENTS, SPEC, Spec, attempt_folder


@dataclass(frozen=True, slots=True)
class OrphanedCheckpoint:
    """A whole checkpoint that an attempt left on the disk, and that nobody recorded.

    due     a checkpoint of the job; else one made only to go on from
    series  what the attempt logged up to there, by step
    """

    step: int
    folder: Path
    digest: str
    due: bool
    series: Mapping[int, Mapping[str, Any]]


def last_whole(data_dir: Path, known: Sequence[Checkpoint]) -> Checkpoint | None:
    """Of a job's rows, by step, the one to go on from: whole, with the optimiser's state."""
    for one in reversed(known):
        said = marker(one.path(data_dir)) if not one.deleted else None
        if said is not None and said.resumable:
            return one
    return None


def left_by(job: Path, number: int, recorded: Collection[int]) -> list[OrphanedCheckpoint]:
    """What the attempt left whole, by step. Call it for the job's last attempt only, when its
    number is about to be replaced: what a process that outlived its
    supervisor completes later is never recorded, and is deleted.

    Weights are hashed again; and every step on the way there must have been logged, here or in
    what is `recorded` of the series: a checkpoint that the logs know nothing of is not believed.
    """
    folder = attempt_folder(job, number)
    logged = by_step(Reader(folder / EVENTS))
    places = [*folder.glob(PATTERN), *_begun_from(folder)]
    found = []
    for place in places:
        said = marker(place)
        if said is None or digest_of(place) != said.digest:
            continue
        if all(step in logged or step in recorded for step in range(1, said.step + 1)):
            series = {step: data for step, data in logged.items() if step <= said.step}
            found.append(OrphanedCheckpoint(said.step, place, said.digest, said.due, series))
    return sorted(found, key=lambda one: one.step)


def remove(folders: Iterable[Path]) -> None:
    """Delete the files of checkpoints that are marked deleted."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def remove_outlived(resume: Path | None) -> None:
    """Delete the checkpoint that an attempt resumed from if it was made only for resuming.

    Call it once there is a later one.
    """
    said = marker(resume) if resume is not None else None
    if resume is not None and said is not None and not said.due:
        remove([resume])


def remove_strays(job: Path, known: Collection[Path]) -> None:
    """Delete what earlier attempts left half written, or wrote once nobody listened any more. Call
    it before a new attempt has a folder."""
    remove(found for found in list(job.glob(f"attempt-*/{PATTERN}")) if found not in known)


def _begun_from(folder: Path) -> list[Path]:
    """What the attempt itself went on from, where that was made only to go on from."""
    try:
        resume = Spec.read(folder / SPEC).resume
    except (OSError, ValidationError):
        return []
    if resume is None:
        return []
    place = folder.parent / resume.parent.name / resume.name  # the data folder may have been moved
    said = marker(place)
    return [place] if said is not None and not said.due else []
