"""Checkpoints that are complete, or do not count.

A checkpoint is a folder `checkpoint-STEP`. Whatever a crash or a full disk leaves half written has
no `complete.json`: that file is written last, after every other file is on the disk, by a rename.
It names the step, a digest of the weights and the size of every file, and a folder that does not
agree with it is ignored.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from inference.identity import file_digest

COMPLETE = "complete.json"
PATTERN = "checkpoint-*"

# What a resumed run needs beside the weights; a checkpoint to be used as a model does without.
STATE = ("trainer_state.json", "optimizer.pt", "scheduler.pt")
ROLLOUT, GENERATION = "on_policy", "generation"  # folders: the completions in use
OF_RESUMPTION = ("optimizer", "scheduler.pt", "rng_state", f"{ROLLOUT}/", f"{GENERATION}/")
SHARDED = {"optimizer.pt": ("optimizer_0", "optimizer.bin")}  # FSDP's names for it


class Complete(BaseModel):
    """The marker."""

    model_config = ConfigDict(frozen=True)

    step: int
    digest: str  # sha256 of the weight files, by name
    due: bool = True  # False: made only to go on from, at a preemption
    resumable: bool = True  # False: a model, whose optimiser's state has been dropped
    files: dict[str, int]  # bytes, by path inside the folder


def complete(folder: Path, step: int, due: bool = True) -> str:
    """Mark a written checkpoint as complete, once all of it is on the disk; returns its digest."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    files = [path for path in files if path.name != COMPLETE]
    for path in files:
        _sync(path)
    for inner in {path.parent for path in files} | {folder}:
        _sync(inner)
    sizes = {str(path.relative_to(folder)): path.stat().st_size for path in files}
    marker = Complete(step=step, digest=digest_of(folder), due=due, files=sizes)
    _mark(folder, marker)
    return marker.digest


def drop_state(folder: Path) -> None:
    """Delete what only a resumed run needs, twice the size of the weights; the model stays.

    The marker is told first: whatever interrupts this, the checkpoint is complete.
    """
    said = marker(folder)
    if said is None:
        return
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    state = {name: path for name, path in files.items() if name.startswith(OF_RESUMPTION)}
    kept = {name: size for name, size in said.files.items() if name not in state}
    if said.resumable or kept != said.files:
        _mark(folder, said.model_copy(update={"resumable": False, "files": kept}))
    for path in state.values():
        path.unlink(missing_ok=True)


def marker(folder: Path) -> Complete | None:
    """The folder's marker, if there is one and the files have the sizes it names."""
    try:
        written = Complete.model_validate_json((folder / COMPLETE).read_bytes())
        whole = all((folder / name).stat().st_size == size for name, size in written.files.items())
    except (OSError, ValidationError):
        return None
    return written if whole else None


def is_complete(folder: Path) -> bool:
    """Whether there is a marker that the files agree with."""
    return marker(folder) is not None


def lacking(folder: Path, processes: int = 1) -> list[str]:
    """What the folder lacks for training to go on from it exactly: [] where nothing.

    transformers resumes without a word from a folder that has no optimizer state.
    """
    if not is_complete(folder):
        return [COMPLETE if not (folder / COMPLETE).exists() else "files of the sizes it names"]
    states = {path.name for path in folder.iterdir() if path.name.startswith("rng_state")}
    needed = (
        {"rng_state.pth"}
        if processes == 1
        else {f"rng_state_{rank}.pth" for rank in range(processes)}
    )
    missing = [
        name
        for name in STATE
        if not any((folder / other).exists() for other in (name, *SHARDED.get(name, ())))
    ]
    if states != needed:
        missing.append(f"the random states of {processes} process(es)")
    return missing


def remove_incomplete(attempt: Path) -> list[str]:
    """Remove half-written checkpoints of an attempt of this process; returns their names."""
    broken = [folder for folder in sorted(attempt.glob(PATTERN)) if not is_complete(folder)]
    for folder in broken:
        shutil.rmtree(folder, ignore_errors=True)
    return [folder.name for folder in broken]


def digest_of(folder: Path) -> str:
    """The digest of the weights as they are on the disk; the marker has it as they were."""
    weights = sorted(folder.glob("*.safetensors"))
    lines = [f"{path.name} {file_digest(path)}\n" for path in weights]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _mark(folder: Path, marker: Complete) -> None:
    part = folder / f"{COMPLETE}.part"
    part.write_text(marker.model_dump_json(indent=2))
    _sync(part)
    part.rename(folder / COMPLETE)
    _sync(folder)
    _sync(folder.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
