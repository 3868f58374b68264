"""Limits of registered models over all workers: how many requests at a time, how many a minute.

A request at a time is an advisory lock of one connection of this process: whatever happens to the
process, the server frees it. Locks are taken and given back many in one round trip, by a task that
runs on the model's event loop for as long as requests want some. A process that wants more says so
by a lock of its own kind, and those that have more than their part then give back: the limit over
how many are at work. Where these are more than there are slots, who has one gives it back.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import psycopg
from psycopg.rows import dict_row

from inference.remote.registered import Registered

LOOK_S = 0.1  # between two looks, of a process that wants more
TEND_S = 0.5  # of one that has what it wants
IDLE_S = 1.0  # until all is given back once nobody asks

TAKE = """
SELECT slot FROM unnest(%(free)s::int[]) AS slot WHERE pg_try_advisory_lock(%(key)s, slot)
LIMIT %(wanted)s
"""
GIVE = "SELECT pg_advisory_unlock(%(key)s, slot) FROM unnest(%(slots)s::int[]) AS slot"
LIMITS = """
SELECT concurrency, requests_per_minute, tokens_per_minute FROM registered_models
WHERE name = %(name)s
"""
OTHERS = """
SELECT count(*) FILTER (WHERE objid = 0), count(DISTINCT pid) FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 2 AND classid = %(key)s AND pid <> pg_backend_pid()
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Part:
    """This process's part of a model's slots. Touched on the model's loop alone."""

    model: Registered
    most: int  # that may be in use, as others want some too
    free: list[int] = field(default_factory=list)  # slots that are held, and not in use
    used: set[int] = field(default_factory=set)
    waiting: deque[asyncio.Future[int]] = field(default_factory=deque)
    minute: deque[tuple[int, asyncio.Future[None]]] = field(default_factory=deque)  # tokens
    tending: asyncio.Task[None] | None = None
    pacing: asyncio.Task[None] | None = None


class Others(NamedTuple):
    """Other processes: those that want more than they have, and all that have or want some."""

    hungry: int
    at_work: int


class PostgresSlots:
    """See `inference.remote.hooks.Slots`; one for each event loop."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._db: psycopg.Connection[tuple[object, ...]] | None = None
        self._lock = threading.Lock()  # around the connection
        self._parts: dict[str, Part] = {}
        self._hungry: set[int] = set()  # keys of models that more is wanted of

    def close(self) -> None:
        """Give all back. The event loop has ended."""
        with self._lock:
            if self._db is not None:
                self._db.close()

    @asynccontextmanager
    async def slot(self, model: Registered, tokens: int) -> AsyncIterator[None]:
        """Held while one request is out."""
        part = self._parts.setdefault(model.name, Part(model, model.concurrency))
        slot = await self._taken(part)
        try:
            limits = part.model
            if limits.requests_per_minute is not None or limits.tokens_per_minute is not None:
                await self._paced(part, tokens)
            yield
        finally:
            if slot in part.used:  # else the connection was lost, and the slot with it
                part.used.discard(slot)
                part.free.append(slot)
                self._hand_out(part)

    async def _taken(self, part: Part) -> int:
        mine: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        part.waiting.append(mine)
        self._hand_out(part)
        if part.tending is None or part.tending.done():
            part.tending = asyncio.create_task(self._tend(part))
        try:
            return await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():  # it came too late
                part.used.discard(mine.result())
                part.free.append(mine.result())
                self._hand_out(part)
            raise

    def _hand_out(self, part: Part) -> None:
        while part.waiting and part.free and len(part.used) < part.most:
            waiter = part.waiting.popleft()
            if not waiter.done():
                slot = part.free.pop()
                part.used.add(slot)
                waiter.set_result(slot)

    async def _tend(self, part: Part) -> None:
        """Take what is wanted, give back what is not, until nobody has asked for a while."""
        idle = 0.0
        await asyncio.sleep(0)  # those that ask together are served together
        while part.waiting or idle <= IDLE_S:
            lacking = False
            try:
                lacking = await self._exchange(part)
            except psycopg.Error as error:
                log.warning("slots of %r are lost: %s", part.model.name, type(error).__name__)
                part.free.clear()
                part.used.clear()
            self._hand_out(part)
            pause = LOOK_S if lacking else TEND_S
            idle = 0.0 if part.waiting or part.used else idle + pause
            await asyncio.sleep(pause)
            if idle > IDLE_S and not part.waiting and part.free:
                given = list(part.free)
                part.free.clear()
                with suppress(psycopg.Error):  # then they are free as well
                    await asyncio.to_thread(self._swap, part.model.name, [], 0, given)

    async def _exchange(self, part: Part) -> bool:
        """Two round trips; whether more is wanted than could be had."""
        part.model = await asyncio.to_thread(self._limited, part.model)
        limit = part.model.concurrency
        part.waiting = deque(one for one in part.waiting if not one.done())
        held = {*part.free, *part.used}
        demand = min(len(part.waiting) + len(part.used), limit)
        wanted = max(min(demand, part.most) - len(held), 0)
        open_ = [slot for slot in range(1, limit + 1) if slot not in held]
        over = max(len(held) - min(part.most, max(demand, 1)), 0)
        given = [slot for slot in part.free if slot > limit] or part.free[:over]
        for slot in given:
            part.free.remove(slot)
        had = bool(part.free or part.used)
        taken, others = await asyncio.to_thread(self._swap, part.model.name, open_, wanted, given)
        part.free += taken
        fair = limit // (others.at_work + 1) or int(not had)
        part.most = fair if others.hungry else limit
        if max((*part.free, *part.used), default=0) > limit:  # it was lowered: until those are back
            part.most = 0
        return len(taken) < wanted

    def _limited(self, model: Registered) -> Registered:
        """The model with its limits as they are now: who asks it may have read them long ago."""
        with self._connected() as db:
            limits = db.cursor(row_factory=dict_row).execute(LIMITS, {"name": model.name})
            row = limits.fetchone()
        return replace(model, **row) if row is not None else model

    def _swap(
        self,
        name: str,
        open_: Sequence[int],
        wanted: int,
        given: Sequence[int],
    ) -> tuple[list[int], Others]:
        """Slots that are now held, and who else wants some."""
        key = _key(name)
        with self._connected() as db:
            if given:
                db.execute(GIVE, {"key": key, "slots": list(given)})
            taken: list[int] = []
            if wanted:
                rows = db.execute(TAKE, {"key": key, "free": list(open_), "wanted": wanted})
                taken = [int(str(row[0])) for row in rows]
            self._say(db, key, len(taken) < wanted)
            hungry, at_work = db.execute(OTHERS, {"key": key % 2**32}).fetchone() or (0, 0)
        return taken, Others(int(str(hungry)), int(str(at_work)))

    def _say(self, db: psycopg.Connection[tuple[object, ...]], key: int, lacking: bool) -> None:
        """That this process wants more, once, or that it does not."""
        if lacking == (key in self._hungry):
            return
        change = "pg_advisory_lock_shared" if lacking else "pg_advisory_unlock_shared"
        db.execute(f"SELECT {change}(%(key)s, 0)", {"key": key})
        (self._hungry.add if lacking else self._hungry.discard)(key)

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        """The connection, for one thread at a time; given up, with its locks, where it fails."""
        with self._lock:
            try:
                if self._db is None or self._db.closed:
                    self._hungry = set()
                    self._db = psycopg.connect(
                        self.url,
                        autocommit=True,
                        application_name="assay slots",
                        connect_timeout=10,
                    )
                yield self._db
            except psycopg.Error:
                self._db = None
                raise

    async def _paced(self, part: Part, tokens: int) -> None:
        """Return once the rates allow another request."""
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        part.minute.append((tokens, mine))
        if part.pacing is None or part.pacing.done():
            part.pacing = asyncio.create_task(self._pace(part))
        await mine

    async def _pace(self, part: Part) -> None:
        await asyncio.sleep(0)
        while part.minute:
            asked = [(tokens, one) for tokens, one in part.minute if not one.done()]
            part.minute.clear()
            counts = [tokens for tokens, _ in asked]
            try:
                allowed = await asyncio.to_thread(self._send, part.model, counts)
            except psycopg.Error as error:
                log.warning("rates of %r are lost: %s", part.model.name, type(error).__name__)
                allowed = 0
            for _, one in asked[:allowed]:
                if not one.done():
                    one.set_result(None)
            part.minute.extendleft(reversed(asked[allowed:]))
            if part.minute and allowed < len(asked):
                await asyncio.sleep(TEND_S)

    def _send(self, model: Registered, tokens: Sequence[int]) -> int:
        """How many of the requests, in order, may be sent now; they count as sent.

        The last minute is taken to be the part of the minute before that is not yet a minute ago,
        and the one that has begun.
        """
        with self._connected() as db, db.transaction():
            return _counted(db, model, tokens)


def _counted(
    db: psycopg.Connection[tuple[object, ...]], model: Registered, tokens: Sequence[int]
) -> int:
    row = db.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    now = float(str(row[0])) / 60 if row else 0.0
    minute, part = int(now), now % 1
    named = {"model": model.name, "minute": minute}
    db.execute(
        "INSERT INTO model_minutes VALUES (%(model)s, %(minute)s, 0, 0) ON CONFLICT DO NOTHING",
        named,
    )
    rows = db.execute(
        "SELECT minute, requests, tokens FROM model_minutes WHERE model = %(model)s "
        "AND minute IN (%(minute)s, %(minute)s - 1) ORDER BY minute FOR UPDATE",
        named,
    ).fetchall()
    sent = taken = 0.0
    for when, requests, count in rows:
        weight = 1.0 if when == minute else 1.0 - part
        sent, taken = sent + weight * int(str(requests)), taken + weight * int(str(count))
    allowed, used = 0, 0
    for one in tokens:
        over = model.requests_per_minute is not None and sent + 1 > model.requests_per_minute
        over |= model.tokens_per_minute is not None and taken + one > model.tokens_per_minute
        if over and sent >= 1:  # a single request over the rate goes alone
            break
        sent, taken, allowed, used = sent + 1, taken + one, allowed + 1, used + one
    db.execute(
        "UPDATE model_minutes SET requests = requests + %(requests)s, tokens = tokens + %(tokens)s "
        "WHERE model = %(model)s AND minute = %(minute)s",
        named | {"requests": allowed, "tokens": used},
    )
    return allowed


def _key(name: str) -> int:
    """32 bits that are the model's among advisory locks of two numbers."""
    digest = hashlib.sha256(f"slots of {name}".encode()).digest()
    return int.from_bytes(digest[:4], signed=True)
