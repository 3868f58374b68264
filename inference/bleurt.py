"""BLEURT checkpoints in the layout of their PyTorch port: a BERT, or a RemBERT, of a reference and
a candidate, with a regression on its first state.

A folder holds `config.json` (`model_type: bleurt`), `model.safetensors` or `pytorch_model.bin`
(read weights-only), and `spm.model` (BLEURT-20 and what was distilled of it) or `vocab.txt`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.batching import plan_by_length
from inference.errors import InputError
from inference.folders import BLEURT, BLEURT_WEIGHTS
from inference.load import padded, tokens_per_pass
from inference.protocol import DType, Identity

PIECES, WORDS = "spm.model", "vocab.txt"
ROWS_PER_PASS = 256
Ids = list[int]


@dataclass(slots=True)
class Bleurt:
    """A model of references and candidates, on one device."""

    model: Any
    tokenize: Callable[[str], Ids]  # without special tokens
    cls_id: int
    sep_id: int
    identity: Identity
    device: str
    max_length: int

    def scores(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """(n,) of (reference, candidate); distinct pairs once, like lengths in one pass."""
        distinct = list(dict.fromkeys(pairs))
        texts = dict.fromkeys(text for pair in distinct for text in pair)
        ids = {text: self.tokenize(text) for text in texts}
        rows = [self._joined(ids[reference], ids[candidate]) for reference, candidate in distinct]
        limit = tokens_per_pass(self.device)
        found = np.zeros(len(rows))
        for batch in plan_by_length([len(one) for one, _ in rows], limit, ROWS_PER_PASS):
            found[batch] = self._pass([rows[index] for index in batch])
        value = dict(zip(distinct, found.tolist(), strict=True))
        return np.array([value[pair] for pair in pairs], np.float64)

    def _joined(self, reference: Ids, candidate: Ids) -> tuple[Ids, Ids]:
        """[CLS] reference [SEP] candidate [SEP] with its segments; what is too long loses its end,
        the longer text first, the candidate where both are."""
        room = self.max_length - 3
        if len(reference) + len(candidate) > room:
            kept = min(len(reference), max(room - len(candidate), (room + 1) // 2))
            reference, candidate = reference[:kept], candidate[: room - kept]
        ids = [self.cls_id, *reference, self.sep_id, *candidate, self.sep_id]
        return ids, [0] * (len(reference) + 2) + [1] * (len(candidate) + 1)

    def _pass(self, rows: Sequence[tuple[Ids, Ids]]) -> NDArray[np.float64]:
        import torch

        pad = int(self.model.config.pad_token_id or 0)
        ids, mask = padded([one for one, _ in rows], pad, left=False, device=self.device)
        segments, _ = padded([one for _, one in rows], 0, left=False, device=self.device)
        with torch.inference_mode():
            run = self.model(input_ids=ids, attention_mask=mask, token_type_ids=segments)
            values = self.model.classifier(run.pooler_output)  # (B, 1)
        return np.asarray(values[:, 0].double().cpu().numpy(), np.float64)


def load_bleurt(name: str, folder: Path, identity: Identity, dtype: DType, device: str) -> Bleurt:
    """From the model's folder. Raises InputError for another kind of model, or files that lack a
    weight or the tokenizer."""
    import torch

    config = _config(name, folder)
    network = _network(config)
    network.add_module("classifier", torch.nn.Linear(network.config.hidden_size, 1))
    weights = {_renamed(key): value for key, value in _weights(name, folder).items()}
    try:
        missing = network.load_state_dict(weights, strict=False).missing_keys
    except RuntimeError as error:
        raise InputError(f"{name!r} and its config.json do not fit: {error}", "model") from error
    needed = [key for key in missing if not key.endswith("_ids")]
    if needed:
        raise InputError(f"{name!r} lacks weights of BLEURT: {needed[0]}", "model")
    network = network.to(device=device, dtype=getattr(torch, dtype)).eval()
    tokenize, cls_id, sep_id = _tokenizer(name, folder)
    length = int(network.config.max_position_embeddings)
    return Bleurt(network, tokenize, cls_id, sep_id, identity, device, length)


def _config(name: str, folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{name!r} is no BLEURT model: config.json: {error}", "model") from error
    kind = found.get("model_type") if isinstance(found, dict) else None
    if kind != BLEURT:
        message = f"{name!r} is no BLEURT model: its config.json has the model_type {kind!r}"
        raise InputError(message, "model")
    return dict(found)


def _network(config: dict[str, Any]) -> Any:
    """A BERT, or with `embedding_size` a RemBERT, which projects its embeddings."""
    from transformers import BertConfig, BertModel, RemBertConfig, RemBertModel

    given: dict[str, Any] = {
        key: config[key]
        for key in (
            *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"),
            *("intermediate_size", "hidden_act", "max_position_embeddings", "type_vocab_size"),
            *("layer_norm_eps", "pad_token_id"),
        )
        if key in config
    }
    given = {"layer_norm_eps": 1e-12, "pad_token_id": 0} | given
    size = config.get("embedding_size")
    if size is None:
        return BertModel(BertConfig(**given))
    sizes = {"input_embedding_size": size, "output_embedding_size": size}
    return RemBertModel(RemBertConfig(**given, **sizes))


def _renamed(key: str) -> str:
    key = key.removeprefix("bleurt.")
    return key.replace("encoder.embedding_projection.", "encoder.embedding_hidden_mapping_in.")


def _weights(name: str, folder: Path) -> dict[str, Any]:
    """Tensors by name. No code is unpickled."""
    import torch
    from safetensors.torch import load_file

    try:
        files = sorted(folder.glob("*.safetensors"))
        if files:
            return {key: value for file in files for key, value in load_file(file).items()}
        whole = torch.load(folder / BLEURT_WEIGHTS, map_location="cpu", weights_only=True)
        return dict(whole)
    except Exception as error:  # pickles fail in many ways
        message = f"the file of {name!r} is not weights alone: save them as safetensors"
        raise InputError(f"{message} ({type(error).__name__})", "model") from error


def _tokenizer(name: str, folder: Path) -> tuple[Callable[[str], Ids], int, int]:
    """What cuts a text, and the ids of [CLS] and [SEP]."""
    if (folder / PIECES).is_file():
        from sentencepiece import SentencePieceProcessor

        pieces = SentencePieceProcessor(model_file=str(folder / PIECES))
        ends = [pieces.piece_to_id(one) for one in ("[CLS]", "[SEP]")]
        return lambda text: list(pieces.encode(text)), ends[0], ends[1]
    if not (folder / WORDS).is_file():
        raise InputError(f"{name!r} has neither {PIECES} nor {WORDS}", "model")
    from tokenizers import BertWordPieceTokenizer

    told = folder / "tokenizer_config.json"
    lower = json.loads(told.read_bytes()).get("do_lower_case", True) if told.is_file() else True
    words = BertWordPieceTokenizer(str(folder / WORDS), lowercase=bool(lower))
    ends = [int(words.token_to_id(one)) for one in ("[CLS]", "[SEP]")]
    return lambda text: list(words.encode(text, add_special_tokens=False).ids), ends[0], ends[1]
