"""Generation by `transformers`: rows of token ids in, continuations out, in padded batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.batching import plan_by_length
from inference.errors import InputError
from inference.load import padded
from inference.protocol import Generation

if TYPE_CHECKING:
    from inference.language import TransformerLanguageModel
    from inference.writer import Writer

BATCH_TOKENS = 16_384  # padded prompt and new tokens of one batch: its cache of keys
BATCH_ROWS = 32
TELL_EVERY = 1.0  # seconds between signs of life within a batch: the next after a token


@dataclass(frozen=True, slots=True)
class Continuation:
    """What a model wrote after a row."""

    text: str  # cut before a stop string, without special tokens
    tokens: int  # generated, what ended the text included
    ended: bool  # by itself or by a stop string; False: `max_new_tokens` were not enough


def generate(
    language: TransformerLanguageModel,
    rows: Sequence[list[int]],
    options: Generation,
    progress: Callable[[int], None] | None = None,
) -> list[list[Continuation]]:
    """See `inference.writer.Writer.generate_rows`. Raises InputError as `fitted` does."""
    rows = fitted(language, language.max_length, rows, options)
    found: list[list[Continuation]] = [[] for _ in rows]
    plan = plan_by_length(
        [len(row) + options.max_new_tokens for row in rows],
        max(BATCH_TOKENS // options.num_outputs, 1),
        max(BATCH_ROWS // options.num_outputs, 1),
    )
    for number, batch in enumerate(plan):
        outputs = _batch(language, [rows[index] for index in batch], options, number, progress)
        for index, outputs_of_one in zip(batch, outputs, strict=True):
            found[index] = outputs_of_one
        if progress is not None:
            progress(len(batch))
    return found


def fitted(
    writer: Writer, max_length: int, rows: Sequence[list[int]], options: Generation
) -> list[list[int]]:
    """The ends of rows that leave room for `max_new_tokens`, one token at least.

    Raises InputError where nothing would be left of a row, and for options that cannot be.
    """
    if options.num_outputs > 1 and options.temperature == 0:
        raise InputError(
            "several outputs at temperature 0 would all be the same", "generation.num_outputs"
        )
    room = max_length - options.max_new_tokens
    if room < 1:
        raise InputError(
            f"max_new_tokens is {options.max_new_tokens}, and {writer.identity.name!r} has "
            f"{max_length} positions in all",
            "generation.max_new_tokens",
        )
    first = writer.pad_id if writer.bos_id is None else writer.bos_id
    return [row[-room:] or [first] for row in rows]


def _batch(
    language: TransformerLanguageModel,
    rows: Sequence[list[int]],
    options: Generation,
    number: int,
    progress: Callable[[int], None] | None,
) -> list[list[Continuation]]:
    """One left-padded batch; the draws depend on the seed and the batch's number alone."""
    import torch

    ids, mask = padded(rows, language.pad_id, left=True, device=language.device)  # (B, T)
    cuda = [torch.device(language.device)] if language.device.startswith("cuda") else []
    with torch.inference_mode(), torch.random.fork_rng(devices=cuda):
        torch.manual_seed(options.seed * 1_000_003 + number)
        out = language.model.generate(  # (B * num_outputs, T + new)
            input_ids=ids,
            attention_mask=mask,
            generation_config=_settings(language, options),
            tokenizer=language.tokenizer,
            stopping_criteria=[_alive(progress)] if progress is not None else None,
        )
    written = [_continuation(language, row, options) for row in out[:, ids.shape[1] :].tolist()]
    n = options.num_outputs
    return [written[at : at + n] for at in range(0, len(written), n)]


def _continuation(
    language: TransformerLanguageModel, ids: list[int], options: Generation
) -> Continuation:
    stops = language.stop_ids if isinstance(language.stop_ids, list) else [language.stop_ids]
    text = language.tokenizer.decode(
        ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
    )
    cut = before_stop(text, options.stop)
    if cut != text:  # what follows the stop string is padding, often the token that ends texts
        return Continuation(cut, _index(ids, {*stops, language.pad_id}), True)
    end = _index(ids, stops)
    return Continuation(text, min(end + 1, len(ids)), end < len(ids))


def _index(ids: Sequence[int], tokens: Collection[int | None]) -> int:
    """Where the first of these tokens stands; the end where there is none."""
    return next((at for at, token in enumerate(ids) if token in tokens), len(ids))


def _settings(language: TransformerLanguageModel, options: Generation) -> Any:
    """What `options` say and nothing else: not the penalties of the model's own file."""
    sampling: dict[str, Any] = {"do_sample": False}
    if options.temperature > 0:
        sampling = {
            "do_sample": True,
            "temperature": options.temperature,
            "top_p": options.top_p,
            "top_k": options.top_k,
        }
    return config(
        max_new_tokens=options.max_new_tokens,
        num_return_sequences=options.num_outputs,
        pad_token_id=language.pad_id,
        eos_token_id=language.stop_ids,
        bos_token_id=language.bos_id,
        stop_strings=list(options.stop) or None,
        **sampling,
    )


def _alive(progress: Callable[[int], None]) -> Callable[..., Any]:
    """A stopping criterion that stops nothing: it says after a token that the batch is at work."""
    told = time.monotonic()

    def after_token(ids: Any, scores: Any, **_: Any) -> Any:
        nonlocal told
        if time.monotonic() - told >= TELL_EVERY:
            progress(0)
            told = time.monotonic()
        return ids.new_zeros(len(ids), dtype=bool)  # (B,)

    return after_token


def config(**settings: Any) -> Any:
    """A configuration of generation with these settings, and the library's for the others."""
    import transformers

    made: Any = transformers.GenerationConfig
    return made(**settings)


def before_stop(text: str, stop: Sequence[str]) -> str:
    """The text up to the first of the stop strings."""
    found = [at for at in (text.find(one) for one in stop if one) if at >= 0]
    return text[: min(found)] if found else text
