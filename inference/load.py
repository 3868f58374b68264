"""What every loader does alike: safetensors only, no remote code, no silently random weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inference.errors import InputError
from inference.names import ADAPTER_WEIGHTS, origin
from inference.protocol import DType, Identity
from inference.sentences import Sentence

UNSET_LENGTH = 1_000_000  # tokenizers without a maximum say 10**30
TOKENS_ON_CPU, TOKENS_ON_GPU = 2048, 16_384  # padded tokens a pass


class Loaded:
    """A network with its tokenizer, on one device: what models of every kind are made of.

    tokens_per_pass  padded tokens that one pass takes at best speed on this device
    """

    def __init__(self, model: Any, tokenizer: Any, identity: Identity, device: str) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.identity = identity
        self.device = device
        self.tokens_per_pass = tokens_per_pass(device)


def tokens_per_pass(device: str) -> int:
    """Padded tokens that one pass takes at best speed."""
    return TOKENS_ON_CPU if device == "cpu" else TOKENS_ON_GPU


def load_config(folders: Sequence[Path]) -> Any:
    """The model's configuration, with what its adapters were trained with."""
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(
        folders[0], local_files_only=True, trust_remote_code=False, **_settings(folders)
    )


def load_network(
    auto_class: Any,
    name: str,
    folders: Sequence[Path],
    dtype: DType,
    device: str,
    new_head: bool = False,
    **options: Any,
) -> Any:
    """The network in evaluation mode on `device`: the first folder's weights, with the adapters of
    the others merged in, one after the other.

    `name` is the model's, for messages. Raises InputError when the files lack weights that this
    kind of model needs (a language model asked for as a classifier, say): transformers would make
    them up at random. `new_head` lets it, for what is above the base model, as training does.
    """
    import torch

    without_progress_bars()
    without_plans_by_shape()
    try:
        model, report = auto_class.from_pretrained(
            folders[0],
            dtype=getattr(torch, dtype),
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **_settings(folders) | options,
        )
    except (ValueError, OSError) as error:
        told = Sentence("cannot load the model {name!r}: {error}", name=name, error=error)
        raise InputError(told, "model") from error
    made_up = sorted(report["missing_keys"]) + sorted(map(str, report["mismatched_keys"]))
    for adapter in folders[1:]:
        model, brought = _with_adapter(model, adapter)
        made_up = [weight for weight in made_up if weight not in brought]
    if new_head:
        made_up = [one for one in made_up if one.startswith(f"{model.base_model_prefix}.")]
    if made_up:
        raise InputError(
            Sentence(
                "{name!r} is not a {kind} model: its files lack {weights}",
                name=name,
                kind=auto_class.__name__.removeprefix("AutoModelFor"),
                weights=", ".join(made_up[:3]),
            ),
            "model",
        )
    return model.to(device).eval()


def _settings(folders: Sequence[Path]) -> dict[str, Any]:
    """Of the configuration, what the adapters were trained with; the last one's counts."""
    found: dict[str, Any] = {}
    for folder in folders[1:]:
        found |= origin(folder).get("config", {})
    return found


def _with_adapter(model: Any, folder: Path) -> tuple[Any, set[str]]:
    """The model with the LoRA adapter of `folder` merged into its weights, and the names of the
    weights that the adapter replaces whole (a classification head)."""
    from peft import PeftModel
    from safetensors import safe_open

    grow_embeddings(model, load_tokenizer(folder))
    try:
        adapted = PeftModel.from_pretrained(model, folder, local_files_only=True)
        with safe_open(folder / ADAPTER_WEIGHTS, framework="np") as file:
            names = {name.removeprefix("base_model.model.") for name in file.keys()}  # noqa: SIM118
        return adapted.merge_and_unload(), names
    except (ValueError, OSError, RuntimeError, KeyError) as error:
        raise InputError(f"cannot load the adapter {folder.name!r}: {error}", "model") from error


def grow_embeddings(model: Any, tokenizer: Any) -> list[int]:
    """Makes room for tokens that the tokenizer has and the model has not: each new row is the mean
    of the others. Returns the new ids."""
    import torch

    known = int(model.get_input_embeddings().weight.shape[0])
    if len(tokenizer) <= known:
        return []
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    for layer in (model.get_input_embeddings(), model.get_output_embeddings()):
        if layer is not None:
            with torch.no_grad():
                layer.weight[known:] = layer.weight[:known].mean(0)
    return list(range(known, len(tokenizer)))


def without_progress_bars() -> None:
    """Bars of transformers would stand between the lines of a worker's log."""
    import transformers

    logging: Any = transformers.utils.logging
    logging.disable_progress_bar()


def without_plans_by_shape() -> None:
    """cuDNN's attention, which PyTorch may take in bfloat16 on a GPU, builds a plan for every new
    shape, and batches by length have many: with it 4,000 samples took 7.7 s on an H200, without it
    2.0 (benchmarks/RESULTS.md)."""
    import torch

    torch.backends.cuda.enable_cudnn_sdp(False)


def load_tokenizer(folder: Path, **options: Any) -> Any:
    """The tokenizer in the folder, by transformers; nothing of the folder is run as code."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False, **options
    )
    _remember_no_words(tokenizer)
    return tokenizer


def _remember_no_words(tokenizer: Any) -> None:
    """BPE and Unigram keep the pieces of 10,000 words that users wrote, 14 MB for each model.
    Without them 3,000 segments take as long as before (benchmarks/RESULTS.md)."""
    backend = getattr(tokenizer, "backend_tokenizer", None)  # none where it is written in Python
    resize = getattr(getattr(backend, "model", None), "_resize_cache", None)
    if resize is not None:
        resize(0)


def max_positions(config: Any, tokenizer: Any) -> int:
    """The most tokens one pass may have: the configuration's, or the tokenizer's where smaller."""
    text = config.get_text_config()
    limits = [
        getattr(text, name, None) for name in ("max_position_embeddings", "n_positions", "n_ctx")
    ]
    limits.append(getattr(tokenizer, "model_max_length", None))
    known = [int(limit) for limit in limits if limit and 0 < limit < UNSET_LENGTH]
    return min(known, default=1024)


def padded(rows: Sequence[Sequence[int]], pad: int, left: bool, device: str) -> tuple[Any, Any]:
    """Token ids and attention mask, (B, T) each."""
    import torch

    longest = max(len(row) for row in rows)
    ids = torch.full((len(rows), longest), pad, dtype=torch.long)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for at, row in enumerate(rows):
        where = slice(longest - len(row), longest) if left else slice(0, len(row))
        ids[at, where] = torch.tensor(row, dtype=torch.long)
        mask[at, where] = 1
    return ids.to(device), mask.to(device)
