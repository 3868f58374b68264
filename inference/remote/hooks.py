"""What whoever runs a remote model may bring: where replies are kept, and who may call when.

A reply's key names what was asked: url, body, number of the draw, scope. The scope is "" for what
gives the same answer again (temperature 0, a seed) or where reuse is asked for; else it names the
work that the draws belong to, so that only a second attempt at that work finds them.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol

from inference.chat import Reply
from inference.remote.registered import Registered

MINUTE = 60.0
OVER_BUDGET = "not asked: the budget is spent"  # the error of replies that were not paid for
KEPT = frozenset(field.name for field in fields(Reply)) - {"cached"}  # of a reply


class Replies(Protocol):
    """Replies that were paid for. Called from any thread; may block."""

    def find(self, keys: Sequence[bytes]) -> Mapping[bytes, Reply]:
        """Those of the keys that have one."""
        ...

    def keep(self, key: bytes, reply: Reply, scope: str = "") -> None:
        """Store a reply, as soon as it is there; never one with an `error`."""
        ...


class Slots(Protocol):
    """Bounds the calls of a registered model, over all who share these slots."""

    def slot(self, model: Registered, tokens: int) -> AbstractAsyncContextManager[None]:
        """Held while one request is out; entering waits until concurrency and rates allow it.

        tokens  what the request is expected to take, input and output together
        """
        ...


@dataclass(frozen=True, slots=True)
class Need:
    """The most that requests may take."""

    tokens: int
    cost: float = 0.0


class Budget(Protocol):
    """What a piece of work may still take. Called from the thread that waits for the replies."""

    def hold(self, needs: Sequence[Need], alive: Callable[[], None]) -> int:
        """How many of the requests, in order, may be sent; what they need is held. 0: none, ever.

        May wait for what others hold, calling `alive` now and then.
        """
        ...

    def out(self, count: int = 1) -> AbstractAsyncContextManager[None]:
        """Around each request that is held, or so many that go together, while they are out."""
        ...

    def release(self) -> None:
        """All that was sent is answered, or dropped: hold nothing any more."""
        ...


class Unanswered:
    """How many requests of a hold may have been sent whose replies are not kept.

    The most that were so at once is written down before it grows: where the process is killed, that
    is what counts as taken. Those that were dropped while they were out, or answered with what
    cannot be read, stay there.

    needs  of what is held
    kept   how many replies are kept so far, of this hold and before
    write  adds to what is written down, blocking: how many requests more, and what they may take
    """

    def __init__(
        self, needs: Sequence[Need], kept: Callable[[], int], write: Callable[[int, Need], None]
    ) -> None:
        self._tokens = sorted((one.tokens for one in needs), reverse=True)
        self._costs = sorted((one.cost for one in needs), reverse=True)
        self._kept, self._before = kept, kept()
        self._write = write
        self._sent = self._written = 0
        self._turn = asyncio.Lock()  # those that come together are written down together

    @asynccontextmanager
    async def requests(self, count: int = 1) -> AsyncIterator[None]:
        """Around requests that go together, while they are out."""
        self._sent += count
        try:
            async with self._turn:
                if (unknown := self._count()) > self._written:
                    await asyncio.to_thread(self._write, *self._change(unknown))
                    self._written = unknown
            yield
        except Exception:  # a refusal costs nothing; who cancels does not know
            self._sent -= count
            raise

    def settle(self) -> tuple[int, Need]:
        """What to add, now that nothing is waited for any more and all replies are kept."""
        return self._change(self._count())

    def _count(self) -> int:
        return self._sent - (self._kept() - self._before)

    def _change(self, count: int) -> tuple[int, Need]:
        """From what is written down to so many requests: always those that may take the most."""
        before = self._written
        return count - before, Need(
            sum(self._tokens[:count]) - sum(self._tokens[:before]),
            sum(self._costs[:count]) - sum(self._costs[:before]),
        )


@dataclass(frozen=True, slots=True)
class Account:
    """At whose expense URLs are called.

    scope   of replies that are not the same each time
    budget  what may still be asked for; None: everything
    """

    scope: str
    replies: Replies
    budget: Budget | None = None


def content_of(reply: Reply) -> dict[str, Any]:
    """A reply as it is stored: what was said of it."""
    return {
        name: value for name, value in asdict(reply).items() if name in KEPT and value is not None
    }


def reply_of(content: Mapping[str, Any]) -> Reply:
    """What `content_of` made of a reply."""
    return Reply(**{name: content[name] for name in KEPT & content.keys()})


def reply_key(url: str, body: Mapping[str, Any], draw: int, scope: str) -> bytes:
    """32 bytes that name one draw of an answer to one request."""
    said = json.dumps([url, body, draw, scope], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(said.encode(errors="surrogatepass")).digest()


class MemoryReplies:
    """The last replies of one process."""

    def __init__(self, most: int = 10_000) -> None:
        self.most = most
        self._kept: OrderedDict[bytes, Reply] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, keys: Sequence[bytes]) -> Mapping[bytes, Reply]:
        """Those of the keys that have one."""
        with self._lock:
            return {key: self._kept[key] for key in keys if key in self._kept}

    def keep(self, key: bytes, reply: Reply, scope: str = "") -> None:
        """Store a reply; the oldest goes when there are too many."""
        with self._lock:
            self._kept[key] = reply
            while len(self._kept) > self.most:
                self._kept.popitem(last=False)


class MemorySlots:
    """Slots of one process, all taken on one event loop."""

    def __init__(self) -> None:
        self._semaphores: dict[tuple[str, int], asyncio.Semaphore] = {}
        self._sent: dict[str, deque[tuple[float, int]]] = {}  # (when, tokens) of the last minute

    @asynccontextmanager
    async def slot(self, model: Registered, tokens: int) -> AsyncIterator[None]:
        """Held while one request is out."""
        key = (model.name, model.concurrency)
        async with self._semaphores.setdefault(key, asyncio.Semaphore(model.concurrency)):
            while (wait := self._wait(model, tokens)) > 0:
                await asyncio.sleep(wait)
            yield

    def _wait(self, model: Registered, tokens: int) -> float:
        """Seconds until the rates allow another request; with 0 it counts as sent."""
        if model.requests_per_minute is None and model.tokens_per_minute is None:
            return 0.0
        now = time.monotonic()
        sent = self._sent.setdefault(model.name, deque())
        while sent and sent[0][0] <= now - MINUTE:
            sent.popleft()
        taken = sum(count for _, count in sent)
        over = (
            model.requests_per_minute is not None and len(sent) >= model.requests_per_minute
        ) or (model.tokens_per_minute is not None and taken + tokens > model.tokens_per_minute)
        if over and sent:  # a single request over the rate goes alone
            return sent[0][0] + MINUTE - now
        sent.append((now, tokens))
        return 0.0
