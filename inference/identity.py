"""What a model is, as digests of its files: the part of a signature that names a model."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from inference.folders import BLEURT_WEIGHTS, COMET, COMET_WEIGHTS, INDEX, pickled_bleurt
from inference.names import ADAPTER_CONFIG, ORIGIN, Location
from inference.protocol import Identity

HEX_DIGITS = 12
TOKENIZER_FILES = (
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "chat_templates/*.jinja",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
    "*.model",  # sentencepiece
)
# Written by tools in passing, without effect on any number: left out of the digests.
INERT = {
    "adapter_config.json": {
        "base_model_name_or_path",
        "inference_mode",
        "peft_version",
        "revision",
    },
    "assay.json": {"base", "method", "job", "produces"},  # the base counts by its own digest
    "model.safetensors.index.json": {"metadata"},  # sizes: of files that count themselves
    "config.json": {"_name_or_path", "architectures", "dtype", "torch_dtype", "use_cache"}
    | {"transformers_version"},
    "tokenizer.json": {"padding", "truncation"},  # state left by the last call
    "tokenizer_config.json": {"name_or_path", "padding_side", "truncation_side", "is_local"}
    | {"backend", "processor_class", "transformers_version"},
}

_digests: dict[tuple[str, int, int], str] = {}


def identify(location: Location, folder: Path | None, base: Identity | None = None) -> Identity:
    """Digests of the weights (with the configuration) and of the tokenizer.

    An adapter's weights are those of its `base` and its own together.

    A model converted from GGUF is named by the GGUF file, which is the same on every machine
    whatever library wrote the converted copy; its tokenizer and template are part of that file.
    """
    if location.gguf is not None:
        digest = file_digest(location.gguf)[:HEX_DIGITS]
        return Identity(location.name, digest, digest)
    if folder is None:
        raise ValueError("a model outside a GGUF file is identified by its folder")
    tokenizer = {path for pattern in TOKENIZER_FILES for path in folder.glob(pattern)}
    comet = [COMET, COMET_WEIGHTS] if (folder / COMET).is_file() else []
    config = [*comet, "config.json"] if base is None else [ADAPTER_CONFIG, ORIGIN]
    if comet:  # configuration and tokenizer may lie elsewhere
        config = [one for one in config if (folder / one).is_file()]
    named = [folder / name for name in config] + sorted(folder.glob(INDEX))
    if pickled_bleurt(folder):
        config.append(BLEURT_WEIGHTS)
    weights = [*sorted(folder.glob("*.safetensors")), *named]
    before = f"base {base.weights}\n" if base else ""
    return Identity(location.name, _digest(weights, before), _digest(sorted(tokenizer)))


def file_digest(path: Path) -> str:
    """sha256 of a file, less what is inert in it; remembered by path, size and time of change."""
    path = path.resolve()
    stat = path.stat()
    key = (str(path), stat.st_size, stat.st_mtime_ns)
    if key not in _digests:
        inert = INERT.get(path.name)
        if inert is None:
            with path.open("rb") as file:
                _digests[key] = hashlib.file_digest(file, "sha256").hexdigest()
        else:
            content: dict[str, Any] = json.loads(path.read_text("utf-8"))
            kept = {name: value for name, value in content.items() if name not in inert}
            data = json.dumps(kept, sort_keys=True, ensure_ascii=False).encode()
            _digests[key] = hashlib.sha256(data).hexdigest()
    return _digests[key]


def _digest(paths: list[Path], before: str = "") -> str:
    lines = [before, *(f"{path.name} {file_digest(path)}\n" for path in paths)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:HEX_DIGITS]
