"""Embeddings of texts from a server's /embeddings: one vector each, pooled as its model pools."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.chat import Reply
from inference.errors import InputError
from inference.remote.asking import Progress
from inference.remote.errors import RequestFailed
from inference.remote.hooks import reply_key
from inference.remote.registered import Registered
from inference.remote.remote_chat import RemoteChat
from inference.remote.remote_model import Draw

EMBEDDINGS = "/embeddings"
MOST_NUMBERS = 65_536  # of one vector
MOST_TEXTS = 32  # of one request: what text-embeddings-inference takes at most, unless told
MOST_CHARACTERS = 50_000  # of one request of several texts
STORED = np.dtype("<f4")


class RemoteEmbeddings:
    """Texts embedded by a registered model. Replies are kept as all others are."""

    def __init__(self, chat: RemoteChat) -> None:
        self.chat = chat
        self.identity = chat.identity

    def of(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        """(n_texts, width). An empty text is sent as a space: most servers refuse it.

        Raises InputError where a text got none, or they differ in width; what came is kept.
        """
        draws = []
        for index, text in enumerate(texts):
            body: dict[str, Any] = {"model": self.chat.model.model, "input": text or " "}
            body |= {"encoding_format": "float", **self.chat.model.extra_body}
            body = {name: value for name, value in body.items() if value is not None}
            key = reply_key(self.chat.model.url, body, 0, "embeddings")
            draws.append(Draw(index, 0, body, key, path=EMBEDDINGS))
        way = Lists(self.chat.model)
        found = [one for (one,) in self.chat.answered(draws, len(draws), way, progress)]
        failed = [one.error for one in found if one.error is not None]
        name = self.identity.name
        if failed:
            count = f"{len(failed)} of {len(texts)} texts"
            raise InputError(f"{name!r} embedded not all: {count} failed: {failed[0]}", "model")
        vectors = [np.frombuffer(base64.b64decode(one.text), STORED) for one in found]
        widths = sorted({len(one) for one in vectors})
        if len(widths) > 1:
            raise InputError(f"{name!r} gives embeddings of {widths[0]} and {widths[1]}", "model")
        return np.array(vectors, np.float32).reshape(len(texts), *widths)


@dataclass(frozen=True, slots=True)
class Lists:
    """Several texts in a request; each counts as one against budgets, its reply is kept alone."""

    model: Registered

    def batches(self, draws: Sequence[Draw]) -> Iterator[Sequence[Draw]]:
        """In order, within the bounds."""
        batch, characters = list[Draw](), 0
        for draw in draws:
            length = len(draw.body["input"])
            if len(batch) == MOST_TEXTS or (batch and characters + length > MOST_CHARACTERS):
                yield batch
                batch, characters = [], 0
            batch.append(draw)
            characters += length
        if batch:
            yield batch

    def body(self, batch: Sequence[Draw]) -> Mapping[str, Any]:
        """A list of several texts, one text as it is."""
        first = batch[0].body
        return (
            first if len(batch) == 1 else {**first, "input": [one.body["input"] for one in batch]}
        )

    def read(
        self, batch: Sequence[Draw], content: Mapping[str, Any], latency_s: float
    ) -> list[Reply]:
        """A vector each, and its part of the tokens, by length."""
        vectors = _vectors(content, len(batch))
        usage = content.get("usage")
        total = usage.get("prompt_tokens") if isinstance(usage, dict) else None
        lengths = [0, *accumulate(len(one.body["input"]) for one in batch)]
        edges = [total * one // lengths[-1] if isinstance(total, int) else 0 for one in lengths]
        replies = []
        for vector, low, high in zip(vectors, edges, edges[1:], strict=False):
            tokens = high - low if isinstance(total, int) else None
            cost = self.model.cost(tokens, 0)
            replies.append(Reply(vector, latency_s=latency_s, input_tokens=tokens, cost=cost))
        return replies


def _vectors(content: Mapping[str, Any], count: int) -> list[str]:
    """In the texts' order, by `index`. Raises RequestFailed where they are not all there."""
    data = content.get("data")
    if not isinstance(data, list) or len(data) != count:
        raise RequestFailed("the answer has no embedding of each text", "unreadable")
    if count == 1:
        return [_vector(data[0])]
    vectors = {one.get("index"): _vector(one) for one in data if isinstance(one, dict)}
    if vectors.keys() != set(range(count)):
        raise RequestFailed("the embeddings have not the texts' numbers as `index`", "unreadable")
    return [vectors[at] for at in range(count)]


def _vector(told: Any) -> str:
    """In place of a text: float32, little-endian, in base64."""
    numbers = told.get("embedding") if isinstance(told, dict) else None
    if not isinstance(numbers, list) or not 0 < len(numbers) <= MOST_NUMBERS:
        raise RequestFailed("the answer has no embedding", "unreadable")
    if not all(isinstance(one, int | float) and math.isfinite(one) for one in numbers):
        raise RequestFailed("the embedding has what is no finite number", "unreadable")
    return base64.b64encode(np.array(numbers, STORED).tobytes()).decode()
