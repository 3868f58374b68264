"""The folders of a training job's checkpoints."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from trainers.run.checkpoints import PATTERN, is_complete


def last_whole(known: Sequence[Any]) -> Any | None:
    """Of a job's rows, by step, the one to go on from: still there, and complete."""
    for one in reversed(known):
        if not one.deleted and is_complete(Path(one.folder)):
            return one
    return None


def remove(folders: Iterable[Path]) -> None:
    """Delete the files of checkpoints that are marked deleted."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def remove_strays(job: Path, known: Collection[Path]) -> None:
    """Delete what earlier attempts left half written, or wrote once nobody listened any more. Call
    it before a new attempt has a folder."""
    remove(found for found in list(job.glob(f"attempt-*/{PATTERN}")) if found not in known)
