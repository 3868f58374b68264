"""checkpoint.merge: a LoRA checkpoint as a model of its own, for whoever wants to download one."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from inference.load import load_network, load_tokenizer
from inference.names import origin
from service.db import events
from service.db.notices import notify
from service.jobs.context import Context
from service.training import checkpoints_store as checkpoints
from service.training import store as training


def merge(context: Context, checkpoint: str) -> None:
    """Writes `merged/` into the checkpoint's folder, unless it is there.

    In float32 and by the loader that scores checkpoints, so that the merged model is the one that
    was scored. It is renamed into place: a folder that is there is whole. Raises ReportedError
    where the base model cannot be loaded.
    """
    with context.engine.connect() as db:
        found = checkpoints.folder(db, checkpoint)
    if found is None:  # deleted meanwhile
        return
    place = checkpoints.merged(Path(found))
    if not place.is_dir():
        part = Path(tempfile.mkdtemp(prefix=f"{place.name}.part-", dir=place.parent))
        try:
            _write(context, checkpoint, Path(found), part)
            part.chmod(0o755)
            os.replace(part, place)
        except OSError:
            if not place.is_dir():  # another attempt may have been faster
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
    with context.engine.begin() as db:
        notify(db, checkpoint)


def merge_failed(context: Context, checkpoint: str, reason: str) -> None:
    """An event of the training job; whoever waits for the download reads it there."""
    with context.engine.begin() as db:
        row = checkpoints.get(db, checkpoint)
        if row is None:
            return
        _tell(db, row.job_id, checkpoint, reason)


def _tell(db: Connection, job: str, checkpoint: str, reason: str) -> None:
    training.lock(db, job)
    events.append(db, job, "merge_failed", {"checkpoint": checkpoint, "message": reason})
    notify(db, checkpoint)


def _write(context: Context, checkpoint: str, folder: Path, into: Path) -> None:
    import transformers

    kinds: dict[str, Any] = {
        "language": transformers.AutoModelForCausalLM,
        "classifier": transformers.AutoModelForSequenceClassification,
    }
    kind = kinds[origin(folder).get("produces", "language")]
    model = load_network(kind, context.models.files(checkpoint), "float32", "cpu")
    model.save_pretrained(into)
    load_tokenizer(folder).save_pretrained(into)
