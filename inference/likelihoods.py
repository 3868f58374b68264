"""How likely the tokens of rows are, one padded pass each: what `echo` with `logprobs` tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from inference.batching import plan_by_length
from inference.decoding import token_logprobs
from inference.engine import TokenLogprob
from inference.load import padded

if TYPE_CHECKING:
    from inference.language import TransformerLanguageModel

BATCH_ROWS = 128


def likelihoods(
    language: TransformerLanguageModel, rows: Sequence[Sequence[int]], top: int
) -> list[list[TokenLogprob]]:
    """See `inference.engine.Engine.logprobs`. Right-padded: padding changes no number."""
    found: list[list[TokenLogprob]] = [[] for _ in rows]
    lengths = [len(row) for row in rows]
    for batch in plan_by_length(lengths, language.tokens_per_pass, BATCH_ROWS):
        some = [index for index in batch if lengths[index] > 1]
        if some:
            noted = _pass(language, [rows[index] for index in some], top)
            for index, one in zip(some, noted, strict=True):
                found[index] = one
    return found


def _pass(
    language: TransformerLanguageModel, rows: Sequence[Sequence[int]], top: int
) -> list[list[TokenLogprob]]:
    import torch

    ids, mask = padded([list(row[:-1]) for row in rows], language.pad_id, False, language.device)
    row = [at for at, one in enumerate(rows) for _ in one[1:]]
    column = [place for one in rows for place in range(len(one) - 1)]
    targets = [token for one in rows for token in one[1:]]
    places = (
        torch.tensor(row, device=language.device),
        torch.tensor(column, device=language.device),
    )
    flat: list[TokenLogprob] = []
    with torch.inference_mode():
        for logits in language.pieces(ids, mask, places):  # (n, V), in order
            some = targets[len(flat) : len(flat) + len(logits)]
            flat += token_logprobs(logits.float(), some, top)
    found, at = [], 0
    for one in rows:
        found.append(flat[at : at + len(one) - 1])
        at += len(one) - 1
    return found
