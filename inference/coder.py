"""Tokens as bits and back: an arithmetic coder that is told the odds by a language model.

Rows of tokens are coded in lock step: each step puts one token a row into the model's cache and
codes the next one. The decoder takes the very same steps over the same shapes, so that the
probabilities that it decodes by are the encoder's to the last bit; a parallel pass over whole rows
would be faster and could not be replayed, as its last digits differ. So all that was encoded
together is decoded together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inference.batching import plan_by_length
from inference.errors import InputError

if TYPE_CHECKING:
    from inference.language import TransformerLanguageModel

Words = NDArray[np.uint32]  # of a range coder
Rows = Sequence[Sequence[int]]

BATCH_TOKENS, BATCH_ROWS = 8192, 64  # whose keys and values stand in memory at once


def compress(
    language: TransformerLanguageModel, texts: Rows, window: int, start: int
) -> tuple[list[bytes], NDArray[np.float64]]:
    """A code of each text's tokens, and the bits that it needs ideally: -log2 of its probability.

    window  tokens that are read after another; then the next begin anew
    start   the token that each window is read after
    """
    counts = [_cut(len(tokens), window) for tokens in texts]
    rows = [
        tokens[first * window : first * window + count]
        for tokens, own in zip(texts, counts, strict=True)
        for first, count in enumerate(own)
    ]
    codes: list[Words] = [np.zeros(0, np.uint32)] * len(rows)
    ideal = np.zeros(len(rows))
    for batch in plan_by_length(list(map(len, rows)), BATCH_TOKENS, BATCH_ROWS):
        found, ideal[batch] = _encode(language, [rows[at] for at in batch], start)
        for at, words in zip(batch, found, strict=True):
            codes[at] = words
    owner = np.repeat(np.arange(len(texts)), list(map(len, counts)))
    each = np.split(np.arange(len(rows)), np.cumsum(list(map(len, counts)))[:-1])
    packed = [
        _pack(len(tokens), [codes[at] for at in own])
        for tokens, own in zip(texts, each, strict=True)
    ]
    return packed, np.bincount(owner, ideal, len(texts)).astype(np.float64)


def expand(
    language: TransformerLanguageModel, codes: Sequence[bytes], window: int, start: int
) -> list[list[int]]:
    """The texts' tokens, of all codes that `compress` made at once, by its window and start."""
    unpacked = [_unpack(code, window) for code in codes]
    counts = [count for own, _ in unpacked for count in own]
    words = [one for _, own in unpacked for one in own]
    rows: list[list[int]] = [[] for _ in counts]
    for batch in plan_by_length(counts, BATCH_TOKENS, BATCH_ROWS):
        some = [words[at] for at in batch], [counts[at] for at in batch]
        for at, row in zip(batch, _decode(language, *some, start), strict=True):
            rows[at] = row
    ordered = iter(rows)
    return [[token for _ in own for token in next(ordered)] for own, _ in unpacked]


def _encode(
    language: TransformerLanguageModel, rows: Rows, start: int
) -> tuple[list[Words], NDArray[np.float64]]:
    """The codes of a batch of rows, and the bits that each needs ideally."""
    import constriction

    family, steps = _family(), _Steps(language, len(rows), start)
    coders = [constriction.stream.queue.RangeEncoder() for _ in rows]
    ideal = np.zeros(len(rows))
    for step in range(max(map(len, rows), default=0)):
        probabilities = steps.probabilities()
        for at, row in enumerate(rows):
            if step < len(row):
                odds = probabilities[at : at + 1]  # (1, V)
                coders[at].encode(np.array([row[step]], np.int32), family, odds)
                ideal[at] -= steps.logs[at, row[step]]
        steps.feed(rows, step)
    return [coder.get_compressed() for coder in coders], ideal / np.log(2)


def _decode(
    language: TransformerLanguageModel, codes: Sequence[Words], counts: Sequence[int], start: int
) -> list[list[int]]:
    """The batch of rows, of `counts` tokens, that `_encode` made the codes of."""
    import constriction

    family, steps = _family(), _Steps(language, len(codes), start)
    decoders = [constriction.stream.queue.RangeDecoder(words) for words in codes]
    found: list[list[int]] = [[] for _ in codes]
    for step in range(max(counts, default=0)):
        probabilities = steps.probabilities()
        for at, count in enumerate(counts):
            if step < count:
                (token,) = decoders[at].decode(family, probabilities[at : at + 1])
                found[at].append(int(token))
        steps.feed(found, step)
    return found


class _Steps:
    """The next token's probabilities for a batch of rows, one step after the other.

    logs  (B, V) natural logarithms of the last step's
    """

    def __init__(self, language: TransformerLanguageModel, rows: int, start: int) -> None:
        self.language = language
        self.start = start
        self.cache: Any = None
        self.next = [start] * rows

    def probabilities(self) -> NDArray[np.float32]:
        """(B, V) after the tokens so far."""
        import torch

        ids = torch.tensor(self.next, device=self.language.device)[:, None]  # (B, 1)
        with torch.inference_mode():
            out = self.language.model(ids, past_key_values=self.cache, use_cache=True)
            logs = torch.log_softmax(out.logits[:, -1].float(), dim=-1)
            self.cache = out.get("past_key_values")
            self.logs = logs.cpu().numpy()
            found = logs.exp().cpu().numpy()
        if self.cache is None:
            name = self.language.identity.name
            message = f"{name!r} keeps no keys and values: it cannot be asked token by token"
            raise InputError(message, "params.model")
        return np.ascontiguousarray(found)

    def feed(self, rows: Rows, step: int) -> None:
        """What each row goes on with: its token, or any where it has ended."""
        self.next = [row[step] if step < len(row) else self.start for row in rows]


def _family() -> Any:
    """Odds in whole numbers: the same from the same floats; no token is without a chance."""
    import constriction

    return constriction.stream.model.Categorical(perfect=False)


def _cut(tokens: int, window: int) -> list[int]:
    """How many tokens each window has."""
    return [min(window, tokens - first) for first in range(0, tokens, window)]


def _pack(tokens: int, codes: Sequence[Words]) -> bytes:
    """How many tokens there are, how many words each code but the last has, and the words."""
    sizes = [tokens, *(len(words) for words in codes[:-1])]
    head = b"".join(map(_varint, sizes))
    return head + b"".join(words.astype("<u4").tobytes() for words in codes)


def _unpack(data: bytes, window: int) -> tuple[list[int], list[Words]]:
    """How many tokens each code is of, and the codes."""
    tokens, at = _read(data, 0)
    counts, sizes = _cut(tokens, window), []
    for _ in counts[:-1]:
        size, at = _read(data, at)
        sizes.append(size)
    words = np.frombuffer(data[at:], "<u4").astype(np.uint32)
    return counts, np.split(words, np.cumsum(sizes, dtype=int)) if counts else []


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first (LEB128)."""
    parts = []
    while number >= 128:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def _read(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins there, and where it has ended."""
    number = shift = 0
    while data[at] >= 128:
        number |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
    return number | data[at] << shift, at + 1
