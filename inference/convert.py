"""GGUF files, dequantised once and kept as safetensors."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inference.identity import HEX_DIGITS, file_digest
from inference.load import without_progress_bars

LAYOUT = 1  # raised when what is written changes


def converted(gguf: Path, cache_dir: Path) -> Path:
    """The folder of safetensors made from `gguf`, made now (40 s) if it is not there.

    Written beside its final place and renamed, under a lock: two processes never both convert,
    and a folder that is there is whole.
    """
    folder = cache_dir / f"{gguf.stem.lower()}-{file_digest(gguf)[:HEX_DIGITS]}-{LAYOUT}"
    if folder.is_dir():
        return folder
    cache_dir.mkdir(parents=True, exist_ok=True)
    with _lock(cache_dir / f"{folder.name}.lock"):
        if not folder.is_dir():
            part = Path(tempfile.mkdtemp(prefix=f"{folder.name}.part-", dir=cache_dir))
            try:
                _convert(gguf, part)
                _open_to_all(part)
                part.rename(folder)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    return folder


def _convert(gguf: Path, into: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    without_progress_bars()
    source = {"gguf_file": gguf.name, "local_files_only": True, "trust_remote_code": False}
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, **source)
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        dtype=torch.float32,
        quantization_config=GgufConfig(dequantize=True),
        **source,
    )
    model.save_pretrained(into)
    tokenizer.save_pretrained(into)


def _open_to_all(folder: Path) -> None:
    """Readable by every user of a shared cache: temporary folders and safetensors are private."""
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
