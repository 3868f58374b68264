"""Embeddings of texts from a server's /embeddings: one vector each, pooled as its model pools."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.chat import Reply
from inference.errors import InputError
from inference.remote.asking import Progress
from inference.remote.errors import RequestFailed
from inference.remote.hooks import reply_key
from inference.remote.remote_chat import Draw, RemoteChat

EMBEDDINGS = "/embeddings"
MOST_NUMBERS = 65_536  # of one vector
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
        found = [one for (one,) in self.chat.answered(draws, len(draws), _read, progress)]
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


def _read(content: Mapping[str, Any], latency_s: float) -> Reply:
    """The vector in place of a text: float32, little-endian, in base64."""
    data = content.get("data")
    first = data[0] if isinstance(data, list) and len(data) == 1 else None
    numbers = first.get("embedding") if isinstance(first, dict) else None
    if not isinstance(numbers, list) or not 0 < len(numbers) <= MOST_NUMBERS:
        raise RequestFailed("the answer has no embedding", "unreadable")
    if not all(isinstance(one, int | float) and math.isfinite(one) for one in numbers):
        raise RequestFailed("the embedding has what is no finite number", "unreadable")
    usage = content.get("usage")
    given = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    said = base64.b64encode(np.array(numbers, STORED).tobytes()).decode()
    return Reply(said, latency_s=latency_s, input_tokens=given if isinstance(given, int) else None)
