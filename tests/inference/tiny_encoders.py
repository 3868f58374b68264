"""Random encoders of a few kinds, each with a byte-level tokenizer, saved as folders."""

from __future__ import annotations

from pathlib import Path

CORPUS = ("the cat sat on the mat the cat", "кот сидел на ковре и кот спал")
POSITIONS = 34  # RoBERTa keeps two rows of the table: 32 tokens fit


def build_roberta(folder: Path) -> Path:
    import torch
    from transformers import RobertaConfig, RobertaModel

    vocabulary = _save_tokenizer(folder)
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=POSITIONS,
    )
    RobertaModel(config).save_pretrained(folder)
    return folder


def build_albert(folder: Path) -> Path:
    """One group of weights run three times: no stack that could be cut."""
    import torch
    from transformers import AlbertConfig, AlbertModel

    vocabulary = _save_tokenizer(folder)
    torch.manual_seed(0)
    config = AlbertConfig(
        vocab_size=vocabulary,
        embedding_size=16,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=POSITIONS,
    )
    AlbertModel(config).save_pretrained(folder)
    return folder


def build_t5(folder: Path) -> Path:
    """An encoder-decoder whose encoder ends in a norm, without a limit of positions."""
    import torch
    from transformers import T5Config, T5Model

    vocabulary = _save_tokenizer(folder)
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=vocabulary, d_model=32, d_kv=16, d_ff=64, num_layers=3, num_heads=2
    )
    T5Model(config).save_pretrained(folder)
    return folder


def _save_tokenizer(folder: Path) -> int:
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaTokenizer

    folder.mkdir(parents=True)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(
        CORPUS, vocab_size=400, min_frequency=1, special_tokens=special, show_progress=False
    )
    trained.save_model(str(folder))
    tokenizer = RobertaTokenizer.from_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return len(tokenizer)
