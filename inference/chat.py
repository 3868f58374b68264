"""Chat with a model, wherever it runs: what is asked, what comes back, and who answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from inference.protocol import Generation, Identity

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """One conversation to be answered `options.num_outputs` times.

    extra  parts of a chat-completions body that only some servers know (`response_format`); a model
           that runs here ignores them
    """

    messages: tuple[Message, ...]
    options: Generation = field(default_factory=Generation)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, with what it took. What a server does not say is None."""

    text: str
    finish_reason: str | None = None  # stop, length, content_filter
    refusal: str | None = None  # why the model or a filter gave no answer; then `text` is none
    reasoning: str | None = None  # what it thought, apart from the answer
    input_tokens: int | None = None
    output_tokens: int | None = None
    latency_s: float | None = None  # seconds from sending to the whole answer, without retries
    cost: float | None = None  # in the currency that the model's prices are in
    model: str | None = None  # the server's own name of what answered
    fingerprint: str | None = None
    error: str | None = None  # why there is no answer at all, after all retries
    cached: bool = False  # paid for earlier


class ChatModel(Protocol):
    """A model that answers conversations."""

    identity: Identity

    def reply(
        self, requests: Sequence[Request], progress: Callable[[int], None] | None = None
    ) -> list[list[Reply]]:
        """`options.num_outputs` replies to each request, in order.

        `progress` is told how many requests were answered since it was last called, and 0 while
        one takes long; what it raises ends the work. A request that cannot be answered has replies
        with an `error`; what makes every request fail (a key that is refused) is raised.
        """
        ...

    def choices(
        self, requests: Sequence[Request], labels: Sequence[str]
    ) -> NDArray[np.float64] | None:
        """(n_requests, n_labels) log-probabilities that the answer begins with each label, not
        normalised over labels; NaN where a label's is not known. None: this model cannot tell."""
        ...
