"""How much memory a model takes, and will take."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from inference.errors import InputError, Unavailable
from inference.folders import BLEURT_WEIGHTS, pickled_bleurt
from inference.protocol import DType
from inference.sentences import Sentence

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


def expected_bytes(folder: Path, dtype: DType) -> int:
    """Bytes the parameters will take, from the headers of the files."""
    from safetensors import SafetensorError, safe_open

    count = 0
    for path in folder.glob("*.safetensors"):
        try:
            with safe_open(path, framework="np") as file:
                names = list(file.keys())
                count += sum(math.prod(file.get_slice(name).get_shape()) for name in names)
        except SafetensorError as error:
            raise InputError(f"cannot read {folder.name}/{path.name}: {error}", "model") from error
    files = [*folder.glob("checkpoints/*.ckpt")]
    files += [folder / BLEURT_WEIGHTS] if pickled_bleurt(folder) else []
    pickled = sum(path.stat().st_size for path in files)
    return count * BYTES[dtype] + pickled


def too_large(name: str, needed: int, budget: int) -> Unavailable:
    """What to raise for a model that takes more bytes than all models may."""
    form = (
        "the model {name!r} needs about {needed:.2f} GB, and this worker's budget for models is "
        "{budget:.2f} GB"
    )
    return Unavailable(Sentence(form, name=name, needed=needed / 1e9, budget=budget / 1e9), "model")


def bytes_of(model: Any) -> int:
    """Bytes of a network's parameters and buffers."""
    tensors = [*model.parameters(), *model.buffers()]
    return sum(int(tensor.numel()) * int(tensor.element_size()) for tensor in tensors)
