"""A checkpoint as it is shown and as it leaves: its card, and a tar of safetensors."""

from __future__ import annotations

import json
import tarfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from inference.names import ADAPTER_CONFIG, ORIGIN
from service.settings import Settings
from service.training.checkpoints_store import Checkpoint
from service.training.schemas import CheckpointCard, CurvePoint
from service.training.store import TrainingJob
from service.training.views import one_checkpoint
from trainers.job.card import CARD

# What a model needs, and what is said of it. Never the state of the optimiser, never a pickle.
KEPT = ("*.safetensors", "*.json", "*.txt", "*.jinja", "*.model", "README.md")
STATE = ("trainer_state.json", "complete.json")
BLOCK = tarfile.BLOCKSIZE
CHUNK = 1 << 20

Entry = tuple[str, Path | bytes]


def card(db: Connection, settings: Settings, job: TrainingJob, row: Checkpoint) -> CheckpointCard:
    """The checkpoint as it is shown, with what is known of its making."""
    shown = one_checkpoint(db, settings, job, row)
    folder = row.path(settings.data_dir)
    form = None
    if not row.deleted and folder.is_dir():
        form = "adapter" if is_adapter(folder) else "model"
    facts = {
        "job": job.id,
        "step": row.step,
        "method": job.method,
        "base": job.model,
        "dataset": f"{job.dataset_name}@{job.dataset_version}",
        "options": job.options,
        "seed": job.options.get("seed"),
    }
    return CheckpointCard(
        **shown.model_dump(), job=job.id, form=form, card=facts | _written(folder)
    )


def is_adapter(folder: Path) -> bool:
    """Whether the folder holds a LoRA adapter, not all weights."""
    return (folder / ADAPTER_CONFIG).exists()


def entries(folder: Path, shown: CheckpointCard, merged: Path | None) -> list[Entry]:
    """The files of a checkpoint, or of the model it was merged into, its card with the scores."""
    source = merged or folder
    left_out = {*STATE, CARD, *([ORIGIN] if merged else [])}
    found: dict[str, Path | bytes] = {
        path.name: path
        for pattern in KEPT
        for path in sorted(source.glob(pattern))
        if path.is_file() and path.name not in left_out
    }
    scores = [score.model_dump(mode="json") for score in shown.scores]
    form = {"adapter": False, "merged": True} if merged else {}
    content = shown.card | form | {"checkpoint": shown.id, "scores": scores}
    found[CARD] = (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
    readme = folder / "README.md"
    if readme.exists():
        text = readme.read_text()
        if merged:
            text = text.replace("holds: LoRA adapter of the base model", "holds: all weights")
        found[readme.name] = (text + _table(shown.scores)).encode()
    return sorted(found.items())


def size(files: Sequence[Entry]) -> int:
    """Bytes of the tar, so that a reader notices one that broke off."""
    inside = sum(len(_header("", name, content)) + _padded(content) for name, content in files)
    return inside + 2 * BLOCK


def tarred(top: str, files: Sequence[Entry]) -> Iterator[bytes]:
    """The tar, below a folder called `top`; a file at a time, a piece at a time."""
    for name, content in files:
        yield _header(top, name, content)
        length = _length(content)
        if isinstance(content, bytes):
            yield content
        else:
            with content.open("rb") as file:
                while piece := file.read(CHUNK):
                    yield piece
        yield b"\0" * (-length % BLOCK)
    yield b"\0" * (2 * BLOCK)


def _header(top: str, name: str, content: Path | bytes) -> bytes:
    info = tarfile.TarInfo(f"{top}/{name}")
    info.size = _length(content)
    info.mtime = int(time.time() if isinstance(content, bytes) else content.stat().st_mtime)
    return info.tobuf(tarfile.USTAR_FORMAT)


def _length(content: Path | bytes) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _padded(content: Path | bytes) -> int:
    return -(-_length(content) // BLOCK) * BLOCK


def _written(folder: Path) -> dict[str, Any]:
    """The card that the training process wrote; {} where it cannot be read."""
    try:
        found = json.loads((folder / CARD).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _table(scores: Sequence[CurvePoint]) -> str:
    if not scores:
        return ""
    lines = [
        "\n## Scores\n",
        "| score | value | interval | p against the start |",
        "|---|---|---|---|",
    ]
    for one in scores:
        low, high = one.interval or (None, None)
        interval = f"{low:.4g} – {high:.4g}" if low is not None else ""
        tested = f"{one.p_value:.3g}" if one.p_value is not None else ""
        value = f"{one.value:.4g}" if one.value is not None else one.error or ""
        lines.append(f"| {one.name} | {value} | {interval} | {tested} |")
    return "\n".join(lines) + "\n"
