"""Small COMET checkpoints in the published layout; weights are numpy's, the same everywhere."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, LAYERS, POSITIONS = 16, 2, 66
PIECES = ["▁", *(chr(c) for c in range(33, 127)), *(chr(c) for c in range(0x410, 0x450)), "▁the"]


def build_encoder(folder: Path) -> Path:
    """Configuration and tokenizer of a small XLM-RoBERTa."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, XLMRobertaConfig

    special = ["<s>", "<pad>", "</s>", "<unk>"]
    vocabulary = [(piece, 0.0) for piece in special] + [(piece, -3.0) for piece in PIECES]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=3, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    names = {"bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>"}
    names |= {"pad_token": "<pad>", "unk_token": "<unk>"}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)
    fast.save_pretrained(folder)
    XLMRobertaConfig(
        vocab_size=len(vocabulary),
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=POSITIONS,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    ).save_pretrained(folder)
    return folder


def build_comet(folder: Path, encoder: Path, kind: str, **hparams: Any) -> Path:
    """`hparams.yaml` and `checkpoints/model.ckpt` as Lightning writes them."""
    import torch
    import yaml
    from transformers import AutoConfig, XLMRobertaModel

    network = XLMRobertaModel(AutoConfig.from_pretrained(encoder), add_pooling_layer=False)
    shapes = {f"encoder.model.{k}": v.shape for k, v in network.state_dict().items()}
    width = WIDTH * {"regression_metric": 6, "unified_metric": 1}.get(kind, 4)
    for at, (n, m) in {0: (width, 12), 3: (12, 6), 6: (6, 1)}.items():
        shapes |= {f"estimator.ff.{at}.weight": (m, n), f"estimator.ff.{at}.bias": (m,)}
    for layer in range(LAYERS + 1):
        shapes[f"layerwise_attention.scalar_parameters.{layer}"] = (1,)
    shapes["layerwise_attention.gamma"] = (1,)
    weights = {name: torch.from_numpy(_drawn(name, tuple(shape))) for name, shape in shapes.items()}
    (folder / "checkpoints").mkdir(parents=True)
    whole: dict[str, Any] = {
        "class_identifier": kind,
        "encoder_model": "XLM-RoBERTa",
        "hidden_sizes": [12, 6],
    }
    whole |= {"pretrained_model": str(encoder), "layer_norm": False, "dropout": 0.1} | hparams
    own = {key: value for key, value in whole.items() if key != "class_identifier"}
    (folder / "hparams.yaml").write_text(yaml.safe_dump(whole))
    saved: dict[str, Any] = {
        "state_dict": weights,
        "hyper_parameters": own,
        "epoch": 1,
        "global_step": 2,
    }
    saved["pytorch-lightning_version"] = "2.0.0"
    torch.save(saved, folder / "checkpoints" / "model.ckpt")
    return folder


def _drawn(name: str, shape: tuple[int, ...]) -> Any:
    drawn = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape) * 0.3
    return (drawn + name.endswith(("LayerNorm.weight", "gamma"))).astype(np.float32)
