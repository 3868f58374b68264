"""Small BLEURT checkpoints in the layout of the PyTorch port; weights are numpy's, the same
everywhere. With `embedding_size` like BLEURT-20 (sentence pieces), without like the older ones."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

LAYERS, POSITIONS = 2, 40
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = [*map(chr, range(33, 127)), *map(chr, range(0x410, 0x450))]


def build_bleurt(folder: Path, embedding_size: int | None = None, **config: Any) -> Path:
    """`config.json`, `pytorch_model.bin`, and `spm.model` or `vocab.txt`."""
    import torch

    folder.mkdir(parents=True)
    words = _pieces(folder) if embedding_size else _words(folder)
    whole: dict[str, Any] = {"model_type": "bleurt", "vocab_size": words, "pad_token_id": 0}
    whole |= {"embedding_size": embedding_size, "hidden_size": 16, "num_hidden_layers": LAYERS}
    whole |= {"num_attention_heads": 2, "intermediate_size": 32, "hidden_act": "gelu"}
    whole |= {"max_position_embeddings": POSITIONS, "type_vocab_size": 2, "layer_norm_eps": 1e-12}
    whole |= {"architectures": ["BleurtForSequenceClassification"]} | config
    (folder / "config.json").write_text(json.dumps(whole))
    weights = {name: torch.from_numpy(_drawn(name, one)) for name, one in _shapes(whole).items()}
    torch.save(weights, folder / "pytorch_model.bin")
    return folder


def _shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    width, inner = config["hidden_size"], config["intermediate_size"]
    embedded = config["embedding_size"] or width
    rows = {"word": config["vocab_size"], "position": POSITIONS, "token_type": 2}
    shapes: dict[str, tuple[int, ...]] = {
        f"bleurt.embeddings.{name}_embeddings.weight": (n, embedded) for name, n in rows.items()
    }
    linear = {"bleurt.pooler.dense": (width, width), "classifier": (width, 1)}
    norms = {"bleurt.embeddings.LayerNorm": embedded}
    if config["embedding_size"]:
        linear["bleurt.encoder.embedding_projection"] = (embedded, width)
    for layer in range(LAYERS):
        at = f"bleurt.encoder.layer.{layer}"
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            linear[f"{at}.attention.{name}"] = (width, width)
        linear |= {f"{at}.intermediate.dense": (width, inner), f"{at}.output.dense": (inner, width)}
        norms |= {f"{at}.attention.output.LayerNorm": width, f"{at}.output.LayerNorm": width}
    for name, (n, m) in linear.items():
        shapes |= {f"{name}.weight": (m, n), f"{name}.bias": (m,)}
    for name, n in norms.items():
        shapes |= {f"{name}.weight": (n,), f"{name}.bias": (n,)}
    return shapes


def _drawn(name: str, shape: tuple[int, ...]) -> Any:
    drawn = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape) * 0.3
    return (drawn + name.endswith("LayerNorm.weight")).astype(np.float32)


def _words(folder: Path) -> int:
    words = [*SPECIAL, "the", "cat", "##s", *LETTERS[:32], *(chr(c) for c in range(97, 123))]
    words += [*(chr(c) for c in range(0x430, 0x450)), *(f"##{chr(c)}" for c in range(97, 123))]
    words += [f"##{chr(c)}" for c in range(0x430, 0x450)]
    unique = list(dict.fromkeys(words))
    (folder / "vocab.txt").write_text("\n".join(unique), "utf-8")
    return len(unique)


def _pieces(folder: Path) -> int:
    from sentencepiece import sentencepiece_model_pb2 as layout

    model: Any = vars(layout)["ModelProto"]()
    model.trainer_spec.model_type = 1  # unigram
    model.trainer_spec.unk_id, model.trainer_spec.pad_id = 1, 0
    model.trainer_spec.bos_id, model.trainer_spec.eos_id = 2, 3
    model.trainer_spec.bos_piece, model.trainer_spec.eos_piece = "[CLS]", "[SEP]"
    model.trainer_spec.pad_piece, model.trainer_spec.unk_piece = "[PAD]", "[UNK]"
    model.normalizer_spec.name = "identity"
    for piece in [*SPECIAL, "▁", "▁the", "▁cat", *LETTERS]:
        kind = {"[UNK]": 2}.get(piece, 3 if piece in SPECIAL else 1)
        model.pieces.add(piece=piece, score=-1.0 - len(piece) % 3, type=kind)
    (folder / "spm.model").write_bytes(model.SerializeToString())
    return len(model.pieces)
