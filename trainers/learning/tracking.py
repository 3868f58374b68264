"""Curves for the tools that people look at them with.

TensorBoard's files lie in the job's folder, under the names of the job's series; a resumed job goes
on with them, from its checkpoint. MLflow and Weights & Biases get what the callbacks of
transformers send. None of the packages is needed: what is not installed is told, and left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trainers.job.run import Run

FOLDER = "tensorboard"  # in the job's folder


def curves_of(run: Run) -> Curves | None:
    """Of the first process, where TensorBoard is asked for and there."""
    wanted = "tensorboard" in run.spec.tracking and run.rank == 0
    return Curves(run) if wanted and find_spec("tensorboard") else None


def reported_to(run: Run) -> list[str] | str:
    """`report_to` of transformers."""
    wanted = [name for name in run.spec.tracking if name != "tensorboard"]
    for name in wanted:
        if not find_spec(name):
            message = f"{name} is not installed where the job is trained: nothing is sent there"
            run.event("tracking_missing", package=name, message=message)
    return [name for name in wanted if find_spec(name)] or "none"


class Curves:
    """Scalars by step, as TensorBoard reads them."""

    def __init__(self, run: Run) -> None:
        self._folder: Path = run.spec.folder.parent / FOLDER
        self._writer: Any = None

    def series(self, step: int, values: Mapping[str, float]) -> None:
        """Write the values; the first step drops what a lost attempt wrote from there on."""
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            writer: Any = SummaryWriter
            self._writer = writer(log_dir=str(self._folder), purge_step=step)
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()
