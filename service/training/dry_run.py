"""train.preview: what a job would be, found by the method's own reading of the records."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from sqlalchemy import Connection

from inference.remote.hooks import MemorySlots
from inference.remote.registered import Registered
from service.datasets import store as datasets
from service.db import worker_requests
from service.jobs.context import Context
from service.models import store as models
from service.processes import dies_with_parent
from service.training import reward_models
from trainers.job.channel import channel
from trainers.job.preview import FOUND
from trainers.job.spec import DATA, HELD_OUT, Spec, Validation, write_records

PATIENCE = 100.0  # seconds; who asked waits for 120
MOST_RECORDS = 10_000  # that are read: the first


def answer(context: Context, preview_id: str) -> None:
    """Read the records of the job that is asked about, and say what was found."""
    with TemporaryDirectory(prefix="assay-preview-") as name:
        with context.engine.connect() as db:
            request = worker_requests.read(db, preview_id)
            if request is None:
                return
            asked = _asked(context, db, request)
            spec = _spec(context, db, request, Path(name), asked)
        found = _found(spec, asked)
    with context.engine.begin() as db:
        worker_requests.answer(db, preview_id, found)


def _asked(context: Context, db: Connection, request: Any) -> list[Registered]:
    """What the rewards' models behind URLs are; nothing is asked of them, so no key is given."""
    method, options = request["method"], request["options"]
    found = reward_models.rows(db, context.settings, method, options)
    return [Registered(name=one.name, url=one.url, model=one.model) for one in found]


def _found(spec: Spec, asked: Sequence[Registered]) -> dict[str, Any]:
    """What a process of its own finds."""
    command = [sys.executable, "-m", "trainers.job.preview", str(spec.write())]
    try:
        with channel(asked, MemorySlots()) as behind_urls:
            subprocess.run(
                command,
                check=True,
                stdin=behind_urls.standard_input,
                stdout=subprocess.DEVNULL,
                timeout=PATIENCE,
                preexec_fn=dies_with_parent(signal.SIGKILL),
            )
    except subprocess.TimeoutExpired:
        return _without(f"the records were not read within {PATIENCE:.0f} s")
    except subprocess.CalledProcessError as error:
        return _without(f"the process that read the records ended with status {error.returncode}")
    found: dict[str, Any] = orjson.loads((spec.folder / FOUND).read_bytes())
    return found


def _without(reason: str) -> dict[str, Any]:
    problem = {"code": "preview_failed", "message": reason, "param": None}
    return {"told": {}, "example": None, "problem": problem}


def failed(context: Context, preview_id: str, reason: str) -> None:
    """Tell the one who waits."""
    with context.engine.begin() as db:
        worker_requests.answer(db, preview_id, _without(reason))


def _spec(
    context: Context, db: Connection, request: Any, folder: Path, asked: Sequence[Registered]
) -> Spec:
    settings = context.settings
    validation = None
    if request["validation"] is not None:
        held = _write(db, request["validation"]["dataset_id"], folder / HELD_OUT)
        validation = Validation(data=held)
    return Spec(
        job="preview",
        attempt=1,
        method=request["method"],
        options=request["options"],
        model=request["model"],
        dataset="",
        data=_write(db, request["dataset_id"], folder / DATA),
        validation=validation,
        folder=folder,
        device="cpu",
        model_roots=settings.model_roots,
        metric_roots=settings.metric_roots,
        cache_dir=settings.data_dir / "models",
        checkpoints=models.checkpoint_folders(db, settings, request["models"]),
        offline=not settings.hub_allowed,
        registered=tuple(one.name for one in asked),
    )


def _write(db: Connection, dataset: str, path: Path) -> Path:
    return write_records(path, datasets.read_records(db, dataset, 0, MOST_RECORDS))
