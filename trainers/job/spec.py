"""The specification of an attempt: a file in the attempt's folder, and the folder itself.

    job folder/
      data.jsonl                  the records, one a line, as the dataset has them
      validation.jsonl            those of the held-out set, where there is one
      attempt-3/
        spec.json                 this specification
        events.jsonl              what the process reports, appended by rank 0 only
        control                   "cancel", "pause", "release" (go on elsewhere) or "stop" (it is
                                good enough), written by the supervisor
        log.txt                   what it prints
        checkpoint-20/            written by this attempt alone; complete once marked

Each attempt writes into its own folder and nowhere else. The supervisor reads the events of the
attempt that it started: nobody reads what an orphaned process still writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from trainers.job.fsdp import Fsdp

SPEC, EVENTS, CONTROL, LOG = "spec.json", "events.jsonl", "control", "log.txt"
DATA, HELD_OUT = "data.jsonl", "validation.jsonl"


def attempt_folder(job: Path, number: int) -> Path:
    """Where an attempt writes, below the job's folder."""
    return job / f"attempt-{number}"


def write_records(path: Path, records: Iterable[Mapping[str, Any]]) -> Path:
    """Write DATA or HELD_OUT: a record a line. Returns the path."""
    path.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
    return path


def read_records(path: Path) -> list[dict[str, Any]]:
    """What `write_records` wrote, in order."""
    return [orjson.loads(line) for line in path.read_bytes().splitlines() if line]


class Validation(BaseModel):
    """Held-out rows whose loss is measured, every so many steps; None: at checkpoints."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path
    steps: int | None = None


class Spec(BaseModel):
    """One attempt at one training job."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job: str  # job_…
    attempt: int  # from 1
    method: str
    options: dict[str, Any]
    model: str  # as named by the user: builtin/…, a folder's name, ckpt_…
    dataset: str  # name@version, for the card
    data: Path
    validation: Validation | None = None
    folder: Path  # the attempt's
    resume: Path | None = None  # a complete checkpoint of this job, of an earlier attempt
    device: str = "cpu"  # "cpu", "cuda:0"; under torchrun each rank has its own
    devices: tuple[str, ...] = ()  # the GPUs that are the job's; none: not said
    processes: int = 1
    fsdp: Fsdp | None = None  # None: each process holds all weights
    model_roots: tuple[Path, ...] = ()
    metric_roots: tuple[Path, ...] = ()  # of `evaluate/<path>`, for rewards
    cache_dir: Path  # where converted models are kept
    checkpoints: dict[str, Path] = Field(default_factory=dict)  # ckpt_… that the job names
    offline: bool = True
    registered: tuple[str, ...] = ()  # models behind URLs, which are handed over with their keys
    private_urls: bool = False  # may a reward's URL lead to a private or loopback address
    tracking: tuple[str, ...] = ()  # "tensorboard", "mlflow", "wandb": where curves go as well

    def write(self) -> Path:
        """Writes itself into its folder, which must exist."""
        path = self.folder / SPEC
        path.write_text(self.model_dump_json(indent=2))
        return path

    @classmethod
    def read(cls, path: Path) -> Spec:
        """What `write` wrote. Raises OSError, and ValidationError for anything else."""
        return cls.model_validate_json(path.read_text())
