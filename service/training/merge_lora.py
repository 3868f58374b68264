"""checkpoint.merge: a LoRA checkpoint as a model of its own, for whoever wants to download one."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from inference.load import load_network, load_tokenizer
from inference.names import origin
from service.db import events
from service.db.notices import notify
from service.jobs.context import Context
from service.models import store as models
from service.training import checkpoints_store as checkpoints
from service.training import store as training


def merge(context: Context, checkpoint: str) -> None:
    """Writes `merged/` into the checkpoint's folder, unless it is there.

    In float32 and by the loader that scores checkpoints, so that the merged model is the one that
    was scored. It is renamed into place: a folder that is there is whole. Raises ReportedError
    where the base model cannot be loaded.
    """
    with context.engine.connect() as db:
        folder = models.checkpoint_folder(db, context.settings, checkpoint)
    if folder is None:  # deleted meanwhile
        return
    place = checkpoints.merged(folder)
    if not place.is_dir():
        part = Path(tempfile.mkdtemp(prefix=f"{place.name}.part-", dir=place.parent))
        try:
            _write(context, checkpoint, folder, part)
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
    """Tell the one who waits for the download, and the job's events."""
    with context.engine.begin() as db:
        row = checkpoints.get(db, checkpoint)
        if row is None:
            return
        training.lock(db, row.job_id)
        checkpoints.change(db, checkpoint, merge_error=reason)
        data = {"checkpoint": checkpoint, "message": reason}
        events.append(db, row.job_id, "merge_failed", data)
        notify(db, checkpoint)


def _write(context: Context, checkpoint: str, folder: Path, into: Path) -> None:
    import transformers

    kinds: dict[str, Any] = {
        "language": transformers.AutoModelForCausalLM,
        "classifier": transformers.AutoModelForSequenceClassification,
    }
    kind = kinds[origin(folder).get("produces", "language")]
    model = load_network(kind, checkpoint, context.models.files(checkpoint), "float32", "cpu")
    model.save_pretrained(into)
    load_tokenizer(folder).save_pretrained(into)
