"""A model behind a URL, as it was registered: where it is, how to ask it, what it costs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from inference.identity import HEX_DIGITS
from inference.protocol import Identity

CONCURRENCY = 16
TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Registered:
    """One server's model by our own name for it. `repr` shows no key."""

    name: str  # ours
    url: str  # of the API: what comes before /chat/completions
    model: str  # the server's name of it
    key: SecretStr | None = None
    concurrency: int = CONCURRENCY  # requests at a time, over all workers
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    timeout_s: float = TIMEOUT_S  # of one request, from sending to the whole answer
    input_price: float | None = None  # per million tokens
    output_price: float | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)  # null takes a part out of a body
    private: bool = False  # may its address be private or loopback

    @property
    def identity(self) -> Identity:
        """What can change an answer: the URL, the model's name there, and `extra_body`."""
        parts = [self.url, self.model, dict(self.extra_body)]
        said = json.dumps(parts, sort_keys=True, ensure_ascii=False)
        digest = hashlib.sha256(said.encode(errors="backslashreplace")).hexdigest()[:HEX_DIGITS]
        return Identity(self.name, digest, "remote")

    def cost(self, input_tokens: int | None, output_tokens: int | None) -> float | None:
        """What so many tokens cost; None where a price or a count that matters is not known."""
        total, known = 0.0, False
        for price, tokens in (
            (self.input_price, input_tokens),
            (self.output_price, output_tokens),
        ):
            if price is None:
                continue
            if tokens is None:
                return None
            total, known = total + price * tokens / 1e6, True
        return total if known else None


Registry = Callable[[str], Registered | None]
