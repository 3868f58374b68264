"""Chat with a model behind a URL."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext
from copy import copy
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.chat import Message, Reply, Request
from inference.protocol import Generation, Identity
from inference.remote import replies as answers
from inference.remote.asking import Counting, Progress, asked
from inference.remote.client import Patience, RemoteClient
from inference.remote.errors import RequestFailed
from inference.remote.hooks import (
    OVER_BUDGET,
    Budget,
    MemoryReplies,
    MemorySlots,
    Need,
    Replies,
    Slots,
    reply_key,
)
from inference.remote.loop import LoopThread
from inference.remote.registered import Registered

CHAT = "/chat/completions"
COMPLETIONS = "/completions"
TOP = 20  # alternatives of the first token: what most servers give at most
KEYS_AT_ONCE = 1000
CHARACTERS_PER_TOKEN = 3  # about; for limits by the minute
TURN_TOKENS = 16  # at most, around each turn; for budgets

Read = Callable[[Mapping[str, Any], float], Reply]


@dataclass(frozen=True, slots=True)
class Draw:
    """One answer that is wanted: where it goes, what is sent for it, and what names it."""

    request: int
    number: int
    body: Mapping[str, Any]
    key: bytes
    scope: str = ""
    path: str = CHAT


class RemoteChat:
    """See `inference.chat.ChatModel`. Every draw is a request of its own, with a seed of its own.

    replies  those that were paid for already; each new one is kept there as it arrives
    scope    of replies that are not the same each time, see `inference.remote.hooks`; None: each
             call has new ones
    reuse    take such replies wherever they came from
    budget   what may still be asked for; None: everything
    """

    def __init__(
        self,
        model: Registered,
        loop: LoopThread | None = None,
        slots: Slots | None = None,
        replies: Replies | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.model = model
        self.identity: Identity = model.identity  # what can change an answer
        self.client = RemoteClient(model, slots or MemorySlots(), patience)
        self.loop = loop or LoopThread()
        self.replies: Replies = replies or MemoryReplies()
        self.scope: str | None = None
        self.reuse = False
        self.budget: Budget | None = None

    def scoped(
        self,
        scope: str,
        reuse: bool = False,
        replies: Replies | None = None,
        budget: Budget | None = None,
    ) -> RemoteChat:
        """The same model and connections, for another piece of work."""
        other = copy(self)
        other.scope, other.reuse = scope, reuse
        other.replies = replies or self.replies
        other.budget = budget
        return other

    def close(self) -> None:
        """Close the connections."""
        self.loop.start(self.client.close())

    def reply(
        self, requests: Sequence[Request], progress: Progress | None = None
    ) -> list[list[Reply]]:
        """Replies in order. Raises EndpointError where no request can be answered."""
        return self.answered(self._draws(requests), len(requests), self._chat, progress)

    def choices(
        self, requests: Sequence[Request], labels: Sequence[str]
    ) -> NDArray[np.float64] | None:
        """(n_requests, n_labels) log-probabilities of those labels that the first token can be,
        with or without a mark after it, or alone begins; NaN for others. None: this server tells
        none."""
        draws = self._label_draws(requests)
        if not draws:
            return np.empty((0, len(labels)))
        tried = self.answered(draws[:1], 1, self._top, None)[0][0]
        if not tried.text and (tried.error is None or "logprobs" in tried.error):
            return None
        found = self.answered(draws, len(draws), self._top, None)
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

    def answered(
        self,
        draws: Sequence[Draw],
        requests: int,
        read: Read,
        progress: Progress | None,
    ) -> list[list[Reply]]:
        """Replies to each request: those that are kept, and the others asked for."""
        found: dict[bytes, Reply] = {}
        for at in range(0, len(draws), KEYS_AT_ONCE):
            found |= self.replies.find([one.key for one in draws[at : at + KEYS_AT_ONCE]])
        found = {key: replace(reply, cached=True) for key, reply in found.items()}
        missing = list({one.key: one for one in draws if one.key not in found}.values())
        left = [0] * requests
        wanting: dict[bytes, list[int]] = {}
        for one in draws:
            if one.key not in found:
                left[one.request] += 1
                wanting.setdefault(one.key, []).append(one.request)
        there = left.count(0)
        if progress is not None and there:
            progress(there)
        if missing:
            self._ask_within(missing, read, found, Counting(left, wanting, progress))
        replies: list[list[Reply]] = [[] for _ in range(requests)]
        given: set[bytes] = set()
        for one in draws:
            reply = found[one.key]
            replies[one.request].append(replace(reply, cached=True) if one.key in given else reply)
            given.add(one.key)
        return replies

    def _ask_within(
        self,
        draws: Sequence[Draw],
        read: Read,
        found: dict[bytes, Reply],
        counting: Counting,
    ) -> None:
        """Ask for as many of the draws as the budget has room for; the others get an error."""
        if self.budget is None:
            return self._ask(draws, read, found, counting)
        needs = [self._need(draw.body) for draw in draws]
        at = 0
        while at < len(draws) and (count := self.budget.hold(needs[at:], counting.alive)):
            try:
                self._ask(draws[at : at + count], read, found, counting)
            finally:
                self.budget.release()
            at += count
        for draw in draws[at:]:
            found[draw.key] = Reply("", error=OVER_BUDGET)
            counting.arrived(draw.key)

    def _ask(
        self,
        draws: Sequence[Draw],
        read: Read,
        found: dict[bytes, Reply],
        counting: Counting,
    ) -> None:
        """Ask for the draws; keep what arrives, and tell of progress, in the thread that waits."""

        async def one(draw: Draw, wanted: Callable[[], bool]) -> Reply:
            return await self._one(draw, read, wanted)

        def keep(draw: Draw, reply: Reply) -> None:
            found[draw.key] = reply
            if reply.error is None:
                self.replies.keep(draw.key, reply, draw.scope)

        arriving = asked(self.loop, draws, one, self.model.concurrency, keep)
        with closing(arriving):
            for draw, reply in arriving:
                if draw is None or reply is None:
                    counting.alive()
                    continue
                keep(draw, reply)
                counting.arrived(draw.key)

    async def _one(
        self,
        draw: Draw,
        read: Read,
        wanted: Callable[[], bool],
    ) -> Reply:
        name = sha256(draw.key).hexdigest()  # keys are ours; their digest says nothing
        try:
            out = self.budget.out if self.budget is not None else nullcontext
            answer = await self.client.post(
                draw.path, draw.body, _tokens(draw.body), name, wanted, out
            )
            reply = read(answer.content, answer.latency_s)
        except RequestFailed as error:
            if error.reason != answers.FILTERED:
                return Reply("", error=error.message)
            reply = Reply("", finish_reason=answers.FILTERED, refusal=error.message)
        return reply

    def _need(self, body: Mapping[str, Any]) -> Need:
        """No text has more tokens than bytes, templates of turns apart; no answer more than it
        may have."""
        sent = sum(len(text.encode()) + TURN_TOKENS for text in _sent(body))
        written = _written(body) * (body.get("n") or 1)
        return Need(sent + written, self.model.cost(sent, written) or 0.0)

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


def _tokens(body: Mapping[str, Any]) -> int:
    """About what a request takes at most."""
    characters = sum(len(text) for text in _sent(body))
    return characters // CHARACTERS_PER_TOKEN + _written(body)


def _sent(body: Mapping[str, Any]) -> list[str]:
    """The texts of a request."""
    turns = body.get("messages")
    given = body.get("prompt", body.get("input"))
    return [str(given)] if turns is None else [one["content"] for one in turns]


def _written(body: Mapping[str, Any]) -> int:
    """The most tokens that an answer has."""
    written = body.get("max_tokens", body.get("max_completion_tokens", 0))
    return written if isinstance(written, int) else 0
