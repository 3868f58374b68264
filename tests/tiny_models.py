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


def _pair_tokenizer() -> Any:
    """Byte-level pieces; pairs as [CLS] a [SEP] b [SEP] with segments."""
    from tokenizers.processors import TemplateProcessing

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
    return tokenizer


def _bert(tokenizer: Any, **more: Any) -> Any:
    """The configuration of a BERT of 2 layers for the tokenizer; `more` of it comes first."""
    from transformers import BertConfig

    settings: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": POSITIONS,
        "initializer_range": 0.3,
        "pad_token_id": tokenizer.pad_token_id,
    }
    return BertConfig(**settings | more)


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
    from transformers import BertForSequenceClassification

    tokenizer = _pair_tokenizer()
    ids = {label: at for at, label in enumerate(labels)}
    config = _bert(tokenizer, id2label=dict(enumerate(labels)), label2id=ids, **more)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = BertForSequenceClassification(config)
        torch.nn.init.normal_(model.classifier.weight, std=1.0)  # probabilities worth telling apart
    return _save(model, tokenizer, folder)


def build_answers_model(folder: Path, seed: int = 5, positions: int = POSITIONS) -> Path:
    """A BERT of 2 layers with start and end logits, pairs as [CLS] question [SEP] text [SEP]."""
    import torch
    from transformers import BertForQuestionAnswering

    tokenizer = _pair_tokenizer()
    tokenizer.model_max_length = positions
    tokenizer.init_kwargs["model_input_names"] = tokenizer.model_input_names  # saved with it
    config = _bert(tokenizer, max_position_embeddings=positions)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = BertForQuestionAnswering(config)
        torch.nn.init.normal_(model.qa_outputs.weight, std=0.3)  # logits worth telling apart
        ids = torch.tensor([tokenizer("What?", ENGLISH[:100])["input_ids"]])
        with torch.no_grad():  # the first position's are raised: not everything has an answer
            states = model.eval().bert(ids)[0][0]  # (T, D)
            model.qa_outputs.weight += 1.5 * (states[0] - states[1:].mean(0))
    return _save(model, tokenizer, folder)


def build_questions_model(folder: Path, seed: int = 7) -> Path:
    """A T5 of 2 layers in the layout of valhalla/t5-small-qg-hl: `<hl>` is a token of its own, and
    a text ends in </s>."""
    import torch
    from tokenizers.processors import TemplateProcessing
    from transformers import T5Config, T5ForConditionalGeneration

    tokenizer = build_tokenizer(None)
    tokenizer.add_tokens(["<hl>"])
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A <|end|>", special_tokens=[(SPECIAL["eos_token"], end)]
    )
    tokenizer.model_max_length = 512
    sizes = {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4}
    tokens = {"decoder_start_token_id": pad, "pad_token_id": pad, "eos_token_id": end}
    settings: dict[str, Any] = {"vocab_size": len(tokenizer), "tie_word_embeddings": False}
    config = T5Config(**settings | sizes | tokens)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: Any = T5ForConditionalGeneration(config)
        torch.nn.init.normal_(model.lm_head.weight, std=0.5)
        for block in model.decoder.block:  # what is written depends on what is read
            torch.nn.init.normal_(block.layer[1].EncDecAttention.o.weight, std=6.0)
    return _save(model, tokenizer, folder)
