"""Chat with a model behind a URL."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.chat import Message, Reply, Request
from inference.protocol import Generation
from inference.remote import replies as answers
from inference.remote.asking import Progress
from inference.remote.hooks import reply_key
from inference.remote.remote_model import Draw, RemoteModel, Singly

TOP = 20  # alternatives of the first token: what most servers give at most


class RemoteChat(RemoteModel):
    """See `inference.chat.ChatModel`. Every draw is a request of its own, with its own seed."""

    def reply(
        self, requests: Sequence[Request], progress: Progress | None = None
    ) -> list[list[Reply]]:
        """Replies in order. Raises EndpointError where no request can be answered."""
        return self.answered(self._draws(requests), len(requests), Singly(self._chat), progress)

    def choices(
        self, requests: Sequence[Request], labels: Sequence[str]
    ) -> NDArray[np.float64] | None:
        """(n_requests, n_labels) log-probabilities of those labels that the first token can be,
        with or without a mark after it, or alone begins; NaN for others. None: this server tells
        none."""
        draws = self._label_draws(requests)
        if not draws:
            return np.empty((0, len(labels)))
        tried = self.answered(draws[:1], 1, Singly(self._top), None)[0][0]
        if not tried.text and (tried.error is None or "logprobs" in tried.error):
            return None
        found = self.answered(draws, len(draws), Singly(self._top), None)
        rows = [
            answers.label_logprobs(json.loads(reply[0].text or "{}"), labels) for reply in found
        ]
        return np.array(rows, dtype=np.float64).reshape(len(requests), len(labels))

    def body(self, request: Request, number: int = 0) -> dict[str, Any]:
        """What is sent for one draw; a part that `extra_body` or `extra` says is null is not."""
        options = request.options
        turns = list(request.messages)
        if options.system is not None:
            turns.insert(0, Message("system", options.system))
        body: dict[str, Any] = {
            "model": self.model.model,
            "messages": [{"role": one.role, "content": one.content} for one in turns],
            "max_tokens": options.max_new_tokens,
            "temperature": options.temperature,
        }
        if options.top_p != 1.0:
            body["top_p"] = options.top_p
        if options.top_k:
            body["top_k"] = options.top_k
        if options.stop:
            body["stop"] = list(options.stop)
        if options.temperature > 0 or options.seed:
            body["seed"] = draw_seed(options.seed, number)
        if options.chat_template_kwargs:
            body["chat_template_kwargs"] = dict(options.chat_template_kwargs)
        body.update(request.extra)
        body.update(self.model.extra_body)
        return {name: value for name, value in body.items() if value is not None}

    def _draws(self, requests: Sequence[Request]) -> list[Draw]:
        """Equal requests of one call that are drawn at random have draws of their own."""
        draws, seen = [], dict[bytes, int]()
        mine = self.scope if self.scope is not None else secrets.token_hex(16)
        for index, request in enumerate(requests):
            base, first, scope = self.body(request), 0, ""
            if not self._repeatable(base, request.options):
                scope = mine
                plain = reply_key(self.model.url, base, 0, scope)
                first = seen.get(plain, 0)
                seen[plain] = first + request.options.num_outputs
            for number in range(first, first + request.options.num_outputs):
                body = self.body(request, number)
                key = reply_key(self.model.url, body, number, scope)
                draws.append(Draw(index, number, body, key, scope))
        return draws

    def _repeatable(self, body: Mapping[str, Any], options: Generation) -> bool:
        return self.reuse or body.get("temperature", 1) == 0 or options.seed != 0

    def _label_draws(self, requests: Sequence[Request]) -> list[Draw]:
        draws = []
        for index, request in enumerate(requests):
            options = replace(request.options, max_new_tokens=1, temperature=0.0, stop=())
            body = self.body(replace(request, options=options))
            body |= {"logprobs": True, "top_logprobs": TOP}
            draws.append(Draw(index, 0, body, reply_key(self.model.url, body, 0, "")))
        return draws

    def _chat(self, content: Mapping[str, Any], latency_s: float) -> Reply:
        return answers.read(content, self.model, latency_s)

    def _top(self, content: Mapping[str, Any], latency_s: float) -> Reply:
        """The likeliest first tokens as JSON in place of a text; "" where none are told."""
        reply = answers.read(content, self.model, latency_s)
        found = answers.top_logprobs(content)
        return replace(reply, text=json.dumps(found) if found else "", refusal=None)


def draw_seed(seed: int, number: int) -> int:
    """The seed of a draw: the first has the user's own, no two seeds share the others."""
    if number == 0:
        return seed
    return int.from_bytes(sha256(f"{seed}/{number}".encode()).digest()[:4]) >> 1
