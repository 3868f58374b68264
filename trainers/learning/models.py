"""The model that training starts from, its tokenizer, and LoRA.

Names are those of evaluation: builtin models, folders under allowed roots, hub ids, checkpoints. A
checkpoint that is an adapter is merged into its base first, so that the new adapter stands on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inference.load import load_config, load_network, load_tokenizer
from inference.protocol import DType
from trainers.job.declaration import Produces
from trainers.job.errors import TrainingError
from trainers.job.options import Lora, Options
from trainers.job.run import Run
from trainers.learning.conversations import with_defaults


def load_start(run: Run, options: Options, produces: Produces = "language") -> tuple[Any, Any]:
    """(model, tokenizer) to train, on the CPU, in training mode, the tokenizer with a pad token.

    Trained weights are float32 and `dtype` bfloat16 means autocast; the frozen weights under LoRA
    are of that dtype. A classifier has one output; where the model has no such head, it gets a
    random one, from the seed that is set.
    """
    import transformers

    folders = run.models.files(run.spec.model)
    tokenizer = load_tokenizer(folders[-1])
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    with_defaults(tokenizer, options.chat_template_kwargs)
    if run.dry:
        adapted(_skeleton(folders, produces, tokenizer), options, produces)  # it may be impossible
        return _skeleton(folders, produces, tokenizer).train(), tokenizer
    dtype = dtype_of_start(options)
    if produces == "language":
        model = load_network(
            transformers.AutoModelForCausalLM, run.spec.model, folders, dtype, "cpu"
        )
    else:
        model = load_network(
            transformers.AutoModelForSequenceClassification,
            run.spec.model,
            folders,
            dtype,
            "cpu",
            new_head=True,
            num_labels=1,
            pad_token_id=tokenizer.pad_token_id,
        )
    model.__dict__["name_or_path"] = run.spec.model  # what peft writes down
    return model.train(), tokenizer


def dtype_of_start(options: Options) -> DType:
    """What weights are loaded in: those that LoRA freezes in `options.dtype`, others in float32."""
    half = options.adapter is not None and options.dtype == "bfloat16"
    return "bfloat16" if half else "float32"


def _skeleton(folders: Sequence[Path], produces: Produces, tokenizer: Any) -> Any:
    """The model without its weights, whatever its size."""
    import torch
    import transformers

    config = load_config(folders)
    kind: Any = transformers.AutoModelForCausalLM
    if produces == "classifier":
        kind = transformers.AutoModelForSequenceClassification
        config.num_labels, config.pad_token_id = 1, tokenizer.pad_token_id
    with torch.device("meta"):
        return kind.from_config(config, trust_remote_code=False)


def adapted(
    model: Any, options: Options, produces: Produces = "language", tokens: Sequence[int] = ()
) -> Any:
    """The model with a fresh LoRA adapter; itself for full fine-tuning.

    All that is trained is float32: peft leaves a head that is trained whole in the type of the
    frozen weights, and in bfloat16 a usual step is too small to change a number.
    """
    config = lora_config(model, options, produces, tokens)
    if config is None:
        return model
    from peft import get_peft_model

    try:
        model = get_peft_model(model, config)
    except ValueError as error:
        raise TrainingError("invalid_input", str(error), "options.lora") from error
    return with_float32(model)


def with_float32(model: Any) -> Any:
    """The model, with all that is trained in float32, whatever is frozen."""
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return model


def lora_config(
    model: Any, options: Options, produces: Produces = "language", tokens: Sequence[int] = ()
) -> Any:
    """peft's LoraConfig, or None for full fine-tuning.

    `all-linear` is spelled out as the linear layers below the head: peft's own reading of it wraps
    the head of a classifier, which has to be trained whole. `tokens` are new ones: their embeddings
    are trained and saved with the adapter.
    """
    lora = options.adapter
    if lora is None:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=adapted_layers(model, lora),
        task_type="CAUSAL_LM" if produces == "language" else "SEQ_CLS",
        trainable_token_indices=_trained_rows(model, tokens) if tokens else None,
    )


def adapted_layers(model: Any, lora: Lora) -> list[str]:
    """The names of the layers that get an adapter, inside their parents.

    Raises TrainingError where the model has none of those that are asked for.
    """
    names = lora.target_modules
    if names == "all-linear":
        return linear_layers(model)
    ends = tuple(f".{name}" for name in names)
    if not any(f".{place}".endswith(ends) for place, _ in model.named_modules()):
        asked, known = ", ".join(names), ", ".join(sorted(linear_layers(model)))
        message = f"the model has no layer called {asked}; its linear layers are {known}"
        raise TrainingError("invalid_input", message, "options.lora.target_modules")
    return list(names)


def linear_layers(model: Any) -> list[str]:
    """The names that linear layers of the base model have inside their parents: q_proj, fc1, …"""
    import torch
    from transformers.pytorch_utils import Conv1D  # what GPT-2 calls its linear layers

    below = getattr(model, model.base_model_prefix)
    kinds = (torch.nn.Linear, Conv1D)
    names = {
        name.rpartition(".")[2] for name, layer in below.named_modules() if isinstance(layer, kinds)
    }
    return sorted(names)


def context_length(model: Any, tokenizer: Any) -> int:
    """The most tokens one sequence may have."""
    from inference.load import max_positions

    return max_positions(model.config, tokenizer)


def _trained_rows(model: Any, tokens: Sequence[int]) -> dict[str, list[int]]:
    """By embedding's name: the input's, and the output's where it has weights of its own."""
    names = {id(layer): name.rpartition(".")[2] for name, layer in model.named_modules()}
    before, after = model.get_input_embeddings(), model.get_output_embeddings()
    rows = {names[id(before)]: list(tokens)}
    if after is not None and after.weight is not before.weight:
        rows[names[id(after)]] = list(tokens)
    return rows
