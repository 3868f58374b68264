"""Prompts as token ids, asked as an evaluation asks them: through the chat template if any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference.protocols.conversation import as_completion, turns_of
from trainers.job.errors import TrainingError
from trainers.job.options import RewardedOptions
from trainers.job.run import Run
from trainers.learning.models import context_length
from trainers.learning.tokenization import report_lengths, templated


def encoded(
    run: Run, options: RewardedOptions, model: Any, tokenizer: Any
) -> list[tuple[Mapping[str, Any], list[int]]]:
    """Each record with its prompt's ids; `max_completion_length` tokens are kept free behind them.

    Reports their lengths. Prompts that are too long lose their beginning if `truncate`; otherwise
    TrainingError("too_long") names the first, as for a completion that leaves prompts no room.
    """
    context, completion = context_length(model, tokenizer), options.max_completion_length
    limit = min(options.max_length, context)
    room = limit - completion
    if room < 1:
        message = (
            f"{completion} leave no room for a prompt: prompt and completion share {limit} tokens "
            f"(max_length {options.max_length}, the model's context {context})"
        )
        raise TrainingError("too_long", message, "options.max_completion_length")
    chat = templated(tokenizer, options.chat)
    rows = [_ids(record, tokenizer, chat) for record in run.records]
    sizes = [len(ids) for ids in rows]
    report_lengths(sizes, room, run, options, context, "prompts")
    long = [at for at, size in enumerate(sizes) if size > room]
    if long and not options.truncate:
        where = f"records[{long[0]}].prompt"
        message = (
            f"{where} has {sizes[long[0]]} tokens, and {room} fit (max_length "
            f"{options.max_length}, the model's context {context}, less max_completion_length "
            f"{completion}); so with {len(long)} of {len(rows)}, the longest of {max(sizes)}. "
            "Set truncate to cut their beginnings, or a greater max_length"
        )
        raise TrainingError("too_long", message, where)
    return [(record, ids[-room:]) for record, ids in zip(run.records, rows, strict=True)]


def _ids(record: Mapping[str, Any], tokenizer: Any, chat: bool) -> list[int]:
    """At least one token: something has to predict the first of the completion."""
    turns = turns_of(record)
    if chat:
        text = tokenizer.apply_chat_template(
            [{"role": turn.role, "content": turn.content} for turn in turns],
            tokenize=False,
            add_generation_prompt=True,
        )
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    else:
        ids = tokenizer(as_completion(turns))["input_ids"]
    first = tokenizer.pad_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    return [int(token) for token in ids] or [first]
