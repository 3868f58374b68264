"""A model behind a URL, asked at somebody's expense: what is kept is not asked for again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, nullcontext
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import Any, Protocol, Self

from inference.chat import Reply
from inference.protocol import Identity
from inference.remote.asking import Counting, Progress, asked
from inference.remote.client import Patience, RemoteClient
from inference.remote.errors import RequestFailed, Stopped
from inference.remote.hooks import (
    OVER_BUDGET,
    Budget,
    MemoryReplies,
    MemorySlots,
    Need,
    Replies,
    Slots,
)
from inference.remote.loop import LoopThread
from inference.remote.registered import Registered
from inference.remote.replies import FILTERED

CHAT = "/chat/completions"
COMPLETIONS = "/completions"
KEYS_AT_ONCE = 1000
CHARACTERS_PER_TOKEN = 3  # about; for limits by the minute
TURN_TOKENS = 16  # at most, around each turn; for budgets


@dataclass(frozen=True, slots=True)
class Draw:
    """One answer that is wanted: where it goes, what is sent for it, and what names it."""

    request: int
    number: int
    body: Mapping[str, Any]
    key: bytes
    scope: str = ""
    path: str = CHAT


class Way(Protocol):
    """How draws are sent, and what is made of an answer."""

    def batches(self, draws: Sequence[Draw]) -> Iterable[Sequence[Draw]]:
        """The draws that go together, in one request."""
        ...

    def body(self, batch: Sequence[Draw]) -> Mapping[str, Any]:
        """What is sent for them."""
        ...

    def read(
        self, batch: Sequence[Draw], content: Mapping[str, Any], latency_s: float
    ) -> list[Reply]:
        """The reply to each. Raises RequestFailed."""
        ...


@dataclass(frozen=True, slots=True)
class Singly:
    """A request for each draw."""

    reader: Callable[[Mapping[str, Any], float], Reply]

    def batches(self, draws: Sequence[Draw]) -> Iterable[Sequence[Draw]]:
        """Each alone."""
        return [[one] for one in draws]

    def body(self, batch: Sequence[Draw]) -> Mapping[str, Any]:
        """As it is."""
        return batch[0].body

    def read(
        self, batch: Sequence[Draw], content: Mapping[str, Any], latency_s: float
    ) -> list[Reply]:
        """One."""
        return [self.reader(content, latency_s)]


class RemoteModel:
    """What all ways to ask a registered model have in common.

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
    ) -> Self:
        """The same model and connections, for another piece of work."""
        other = copy(self)
        other.scope, other.reuse = scope, reuse
        other.replies = replies or self.replies
        other.budget = budget
        return other

    def close(self) -> None:
        """Close the connections."""
        self.loop.start(self.client.close())

    def answered(
        self,
        draws: Sequence[Draw],
        requests: int,
        way: Way,
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
            self._ask_within(missing, way, found, Counting(left, wanting, progress))
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
        way: Way,
        found: dict[bytes, Reply],
        counting: Counting,
    ) -> None:
        """Ask for as many of the draws as the budget has room for; the others get an error."""
        if self.budget is None:
            return self._ask(draws, way, found, counting)
        needs = [self._need(draw.body) for draw in draws]
        at = 0
        while at < len(draws) and (count := self.budget.hold(needs[at:], counting.alive)):
            try:
                self._ask(draws[at : at + count], way, found, counting)
            finally:
                self.budget.release()
            at += count
        for draw in draws[at:]:
            found[draw.key] = Reply("", error=OVER_BUDGET)
            counting.arrived(draw.key)

    def _ask(
        self,
        draws: Sequence[Draw],
        way: Way,
        found: dict[bytes, Reply],
        counting: Counting,
    ) -> None:
        """Ask for the draws; keep what arrives, and tell of progress, in the thread that waits."""

        async def one(batch: Sequence[Draw], wanted: Callable[[], bool]) -> list[Reply]:
            return await self._batch(batch, way, wanted)

        def keep(batch: Sequence[Draw], replies: Sequence[Reply]) -> None:
            for draw, reply in zip(batch, replies, strict=True):
                found[draw.key] = reply
                if reply.error is None:
                    self.replies.keep(draw.key, reply, draw.scope)

        batches = list(way.batches(draws))
        arriving = asked(self.loop, batches, one, self.model.concurrency, keep)
        with closing(arriving):
            for batch, replies in arriving:
                if batch is None or replies is None:
                    counting.alive()
                    continue
                keep(batch, replies)
                for draw in batch:
                    counting.arrived(draw.key)

    async def _batch(
        self, batch: Sequence[Draw], way: Way, wanted: Callable[[], bool]
    ) -> list[Reply]:
        """A reply to each draw. A batch that gets none is asked again in halves: its size may be
        why, or one of its draws."""
        body = way.body(batch)
        name = sha256(b"".join(one.key for one in batch)).hexdigest()  # says nothing of the keys
        out = partial(self.budget.out, len(batch)) if self.budget is not None else nullcontext
        try:
            answer = await self.client.post(batch[0].path, body, _tokens(body), name, wanted, out)
            return way.read(batch, answer.content, answer.latency_s)
        except RequestFailed as error:
            if len(batch) > 1 and not isinstance(error, Stopped) and error.reason != "rate":
                middle = len(batch) // 2
                halves = batch[:middle], batch[middle:]
                return [one for half in halves for one in await self._batch(half, way, wanted)]
            if error.reason == FILTERED:
                return [Reply("", finish_reason=FILTERED, refusal=error.message)]
            return [Reply("", error=error.message) for _ in batch]

    def _need(self, body: Mapping[str, Any]) -> Need:
        """No text has more tokens than bytes, templates of turns apart; no answer more than it
        may have."""
        sent = sum(len(text.encode()) + TURN_TOKENS for text in _sent(body))
        written = _written(body) * (body.get("n") or 1)
        return Need(sent + written, self.model.cost(sent, written) or 0.0)


def _tokens(body: Mapping[str, Any]) -> int:
    """About what a request takes at most."""
    characters = sum(len(text) for text in _sent(body))
    return characters // CHARACTERS_PER_TOKEN + _written(body)


def _sent(body: Mapping[str, Any]) -> list[str]:
    """The texts of a request."""
    turns = body.get("messages")
    given = body.get("prompt", body.get("input"))
    if turns is not None:
        return [one["content"] for one in turns]
    return given if isinstance(given, list) else [str(given)]


def _written(body: Mapping[str, Any]) -> int:
    """The most tokens that an answer has."""
    written = body.get("max_tokens", body.get("max_completion_tokens", 0))
    return written if isinstance(written, int) else 0
