"""/v1/checkpoints: what training left behind, its card, and its files to take away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from fastapi import Header
from fastapi.responses import StreamingResponse
from sqlalchemy import Connection

from service.errors import ApiError, ErrorOut, not_found
from service.http.dependencies import CurrentGate, CurrentSettings, Transaction
from service.http.gate import Gate
from service.http.router import Router
from service.http.waiting import preferred_wait, until
from service.jobs import queue
from service.settings import Settings
from service.training import checkpoints_store as checkpoints
from service.training import store as training
from service.training.archive import Entry, card, entries, is_adapter, size, tarred
from service.training.checkpoints_store import Checkpoint
from service.training.schemas import CheckpointCard

router = Router(prefix="/v1/checkpoints", tags=["training"])

MERGE_WAIT = 300.0  # seconds
SOON = 10  # priority over the shards of evaluations

Form = Literal["adapter", "merged"]


@router.get("/{checkpoint}", summary="One checkpoint, with its card and scores")
def get_checkpoint(checkpoint: str, db: Transaction, settings: CurrentSettings) -> CheckpointCard:
    """Method, data version, options, seed, base model and library versions; scores with intervals,
    tested against the starting model. Stays readable when the files are deleted."""
    row = _existing(db, checkpoint)
    return card(db, settings, training.require(db, row.job_id), row)


@router.get(
    "/{checkpoint}/download",
    summary="Its files as a tar: the adapter, or the model it merges into",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"application/x-tar": {"schema": {"type": "string", "format": "binary"}}}},
        410: {"model": ErrorOut, "description": "Its files were deleted"},
    },
)
async def download_checkpoint(
    checkpoint: str,
    gate: CurrentGate,
    settings: CurrentSettings,
    form: Form = "adapter",
    prefer: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Safetensors, configuration, tokenizer and card. `merged` of a LoRA checkpoint is made by a
    worker when it is first asked for, in float32; of full fine-tuning it is the files themselves.
    """
    folder = await gate.run(lambda db: _folder(db, settings, checkpoint, form))
    merged = None
    if form == "merged" and is_adapter(folder):
        merged = checkpoints.merged(folder)
        if not merged.is_dir():
            await _merge(gate, checkpoint, merged, preferred_wait(prefer) or MERGE_WAIT)
    files = await gate.run(lambda db: _files(db, settings, checkpoint, folder, merged))
    top = checkpoint if merged is None else f"{checkpoint}-merged"
    headers = {
        "content-disposition": f'attachment; filename="{top}.tar"',
        "content-length": str(size(files)),
    }
    return StreamingResponse(tarred(top, files), media_type="application/x-tar", headers=headers)


def _folder(db: Connection, settings: Settings, checkpoint: str, form: Form) -> Path:
    """Where its files lie. Raises 404, 410, and 409 for a form that it has not."""
    row = _existing(db, checkpoint)
    if row.deleted:
        message = f"the files of {checkpoint} were deleted; its card and scores stay"
        raise ApiError(410, "checkpoint_deleted", message, "checkpoint")
    folder = row.path(settings.data_dir)
    if not folder.is_dir():
        message = (
            "its files are on another machine: give the API and the workers one ASSAY_DATA_DIR"
        )
        raise ApiError(409, "files_elsewhere", message, "checkpoint")
    if form == "adapter" and not is_adapter(folder):
        message = f"{checkpoint} holds all weights, not an adapter: ask for form=merged"
        raise ApiError(409, "no_adapter", message, "form")
    return folder


async def _merge(gate: Gate, checkpoint: str, merged: Path, wait: float) -> None:
    """Asks a worker, and waits until the folder is there."""
    await gate.run(lambda db: _defer(db, checkpoint))
    failed: list[str] = []

    def look(db: Connection) -> bool:
        if merged.is_dir():
            return True
        error = _existing(db, checkpoint).merge_error
        failed.extend([error] if error is not None else [])
        return error is not None

    done = await until(gate, checkpoint, look, wait)
    if failed:
        raise ApiError(422, "merge_failed", failed[0], "checkpoint")
    if not done:
        message = f"no worker merged it within {wait:.0f} s; ask again, it goes on"
        raise ApiError(503, "timed_out", message)


def _defer(db: Connection, checkpoint: str) -> None:
    """Ask for a merge; an error of an earlier one is forgotten."""
    training.lock(db, _existing(db, checkpoint).job_id)
    checkpoints.change(db, checkpoint, merge_error=None)
    queue.defer(
        db,
        "checkpoint.merge",
        priority=SOON,
        lock=f"merge {checkpoint}",
        queueing_lock=f"merge {checkpoint}",
        checkpoint=checkpoint,
    )


def _files(
    db: Connection, settings: Settings, checkpoint: str, folder: Path, merged: Path | None
) -> list[Entry]:
    row = _existing(db, checkpoint)
    return entries(folder, card(db, settings, training.require(db, row.job_id), row), merged)


def _existing(db: Connection, checkpoint: str) -> Checkpoint:
    row = checkpoints.get(db, checkpoint)
    if row is None:
        raise not_found("checkpoint", checkpoint)
    return row
