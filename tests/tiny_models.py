"""Tiny real models for tests: a byte-level BPE tokenizer, a llama, a llama with a reward head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ENGLISH = (
    "The quick brown fox jumps over the lazy dog. A language model assigns a probability to every "
    "sentence; the better the model, the fewer bits it needs. What is the capital of France? "
    "Paris is the capital of France, and Rome is the capital of Italy."
)
RUSSIAN = (
    "Съешь же ещё этих мягких французских булок, да выпей чаю. Языковая модель приписывает "
    "вероятность каждому предложению; чем лучше модель, тем меньше битов ей нужно. Какой город "
    "столица России? Москва — столица России, а Рим — столица Италии."
)
TEMPLATE = (
    "{% for message in messages %}<|start|>{{ message['role'] }}\n{{ message['content'] }}<|end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)
SPECIAL = {"pad_token": "<|pad|>", "bos_token": "<|start|>", "eos_token": "<|end|>"}
POSITIONS = 256


def build_tokenizer(template: str | None = TEMPLATE) -> Any:
    """Byte-level BPE of 600 tokens: any text goes in and comes out unchanged."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=list(SPECIAL.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([ENGLISH, RUSSIAN], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        **SPECIAL,
        model_max_length=POSITIONS,
        chat_template=template,
    )


def build_language_model(folder: Path, seed: int = 0, **config: Any) -> Path:
    """A llama of 2 layers, 64 wide, with random weights, saved as safetensors."""
    import torch
    from transformers import LlamaForCausalLM

    tokenizer = build_tokenizer()
    tokenizer.model_max_length = config.get("max_position_embeddings", POSITIONS)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(_config(tokenizer, **config))
    return _save(model, tokenizer, folder)


def build_reward_model(
    folder: Path, seed: int = 0, template: str | None = TEMPLATE, **config: Any
) -> Path:
    """The same llama with one output a sequence."""
    import torch
    from transformers import LlamaForSequenceClassification

    tokenizer = build_tokenizer(template)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForSequenceClassification(_config(tokenizer, **{"num_labels": 1} | config))
        torch.nn.init.normal_(model.score.weight, std=1.0)  # rewards worth telling apart
    return _save(model, tokenizer, folder)


def _config(tokenizer: Any, **config: Any) -> Any:
    from transformers import LlamaConfig

    settings: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": POSITIONS,
        "initializer_range": 0.2,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    return LlamaConfig(**settings | config)


def _save(model: Any, tokenizer: Any, folder: Path) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def build_nli_model(
    folder: Path,
    seed: int = 3,
    labels: tuple[str, ...] = ("contradiction", "neutral", "entailment"),
    **more: Any,
) -> Path:
    """A BERT of 2 layers over byte-level pieces, pairs as [CLS] a [SEP] b [SEP], with labels.

    more  of its configuration: `problem_type`
    """
    import torch
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertForSequenceClassification

    tokenizer = build_tokenizer(None)
    start, end = (
        tokenizer.convert_tokens_to_ids(SPECIAL[f"{one}_token"]) for one in ("bos", "eos")
    )
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|start|> $A <|end|>",
        pair="<|start|> $A <|end|> $B:1 <|end|>:1",
        special_tokens=[(SPECIAL["bos_token"], start), (SPECIAL["eos_token"], end)],
    )
    tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=POSITIONS,
        initializer_range=0.3,
        pad_token_id=tokenizer.pad_token_id,
        id2label=dict(enumerate(labels)),
        label2id={label: at for at, label in enumerate(labels)},
        **more,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = BertForSequenceClassification(config)
        torch.nn.init.normal_(model.classifier.weight, std=1.0)  # probabilities worth telling apart
    return _save(model, tokenizer, folder)
