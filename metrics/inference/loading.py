"""What every loader does alike: safetensors only, no remote code, no silently random weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from metrics.evidence.errors import InputError
from metrics.inference.protocol import DType

UNSET_LENGTH = 1_000_000  # tokenizers without a maximum say 10**30
TOKENS_ON_CPU, TOKENS_ON_GPU = 2048, 16_384  # padded tokens a pass


def load_network(auto_class: Any, folder: Path, dtype: DType, device: str, **options: Any) -> Any:
    """The network in evaluation mode on `device`.

    Raises InputError when the files lack weights that this kind of model needs (a language model
    asked for as a classifier, say): transformers would make them up at random.
    """
    import torch

    without_progress_bars()
    try:
        model, report = auto_class.from_pretrained(
            folder,
            dtype=getattr(torch, dtype),
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **options,
        )
    except (ValueError, OSError) as error:
        raise InputError(f"cannot load the model {folder.name!r}: {error}", "model") from error
    missing = sorted(report["missing_keys"]) + sorted(map(str, report["mismatched_keys"]))
    if missing:
        raise InputError(
            f"{folder.name!r} is not a {auto_class.__name__.removeprefix('AutoModelFor')} model: "
            f"its files lack {', '.join(missing[:3])}",
            "model",
        )
    return model.to(device).eval()


def without_progress_bars() -> None:
    """Bars of transformers would stand between the lines of a worker's log."""
    import transformers

    logging: Any = transformers.utils.logging
    logging.disable_progress_bar()


def load_tokenizer(folder: Path, **options: Any) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False, **options
    )


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
