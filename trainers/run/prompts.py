"""Prompts as token ids, asked as an evaluation asks them: through the chat template if any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from metrics.evidence.errors import InputError
from trainers.run.declaration import Options
from trainers.run.models import context_length
from trainers.run.run import Run

SHOWN = 20  # rows named in an error


def encoded(
    run: Run, options: Options, model: Any, tokenizer: Any, completion: int
) -> list[tuple[Mapping[str, Any], list[int]]]:
    """Each record with its prompt's ids; `completion` tokens are kept free behind them.

    Prompts that are too long lose their beginning if `truncate`. Raises InputError with their rows
    (from 0) otherwise, and for a length that leaves prompts no room. Reports the lengths.
    """
    context = context_length(model, tokenizer)
    room = min(options.max_length, context) - completion
    if room < 1:
        message = (
            f"{completion} leave no room for a prompt: prompt and completion share max_length "
            f"({options.max_length}) and the model's context ({context})"
        )
        raise InputError(message, "options.max_completion_length")
    rows = [_ids(record["prompt"], tokenizer) for record in run.records]
    lengths = np.array([len(ids) for ids in rows])
    long = np.flatnonzero(lengths > room).tolist()
    if long and not options.truncate:
        shown = ", ".join(f"row {row}: {lengths[row]}" for row in long[:SHOWN])
        message = (
            f"{len(long)} prompts are longer than the {room} tokens that max_length and "
            f"max_completion_length leave them ({shown}); shorten them, or set truncate"
        )
        raise InputError(message, f"records[{long[0]}].prompt")
    quantiles = {f"p{q}": float(np.percentile(lengths, q)) for q in (50, 95)}
    found = {"rows": len(rows), "mean": float(lengths.mean()), **quantiles}
    found |= {"max": int(lengths.max()), "room": room, "context": context, "truncated": len(long)}
    run.event("lengths", prompt=found)
    return [(record, ids[-room:]) for record, ids in zip(run.records, rows, strict=True)]


def _ids(prompt: str, tokenizer: Any) -> list[int]:
    """At least one token: something has to predict the first of the completion."""
    if tokenizer.chat_template:
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
        )
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    else:
        ids = tokenizer(prompt)["input_ids"]
    first = tokenizer.pad_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    return [int(token) for token in ids] or [first]
