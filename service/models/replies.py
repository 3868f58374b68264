"""Replies of models behind URLs, in the database as soon as they arrive: none is paid for twice.

Many that arrive together are one transaction: whatever has come while the last one was committed.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import orjson
from sqlalchemy import Connection, Engine, delete, func, select, text, update

from inference.chat import Reply
from inference.remote.hooks import content_of, reply_of
from service import faults
from service.db.engine import driver
from service.db.reply_tables import model_minutes, replies
from service.settings import Settings

MOST_AT_ONCE = 1000  # replies of one transaction
TRIES = 5
PAUSE_S = 1.0  # between two tries to store
MINUTES_KEPT = 10
GENERATION = -1  # in the place of a metric's position

INSERT = """
INSERT INTO replies (key, content, scope)
SELECT * FROM unnest(%(keys)s::bytea[], %(contents)s::jsonb[], %(scopes)s::text[])
ON CONFLICT DO NOTHING
"""
PAY = """
UPDATE usages SET requests = requests + %(requests)s,
    input_tokens = input_tokens + %(input_tokens)s,
    output_tokens = output_tokens + %(output_tokens)s, cost = cost + %(cost)s
WHERE evaluation_id = %(evaluation)s AND start = %(start)s AND metric = %(metric)s
"""


@dataclass(frozen=True, slots=True)
class Payer:
    """What of the shard of an evaluation a reply is asked for by."""

    evaluation: str
    start: int  # index of its first sample
    metric: int = GENERATION  # position of the metric that asks

    @property
    def scope(self) -> str:
        """Of its replies that are for nobody else. Equal prompts of two shards are two draws."""
        own = f"{self.evaluation}/{self.start}"
        return own if self.metric == GENERATION else f"{own}/{self.metric}"


@dataclass(frozen=True, slots=True)
class Arrived:
    """A reply to be stored; `paid`: at whose expense, if anybody's."""

    key: bytes
    reply: Reply
    scope: str
    paid: PaidReplies | None


class StoredReplies:
    """See `inference.remote.hooks.Replies`; of all processes that share a database."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._arrived: queue.SimpleQueue[Arrived] = queue.SimpleQueue()
        self._settled = threading.Condition()
        self._open = 0  # replies that are not stored yet
        self._error: Exception | None = None
        self._writer: threading.Thread | None = None

    def paid_by(self, payer: Payer) -> PaidReplies:
        """The same replies, new ones of which are added to what the payer has used."""
        return PaidReplies(self, payer)

    def find(self, keys: Sequence[bytes]) -> Mapping[bytes, Reply]:
        """Those of the keys that have one."""
        self.flush()
        table = replies.c
        with self.engine.begin() as db:
            rows = db.execute(select(table.key, table.content).where(table.key.in_(list(keys))))
            found = {bytes(row.key): reply_of(row.content) for row in rows}
            if found:  # at most once an hour: a read should not cost a write
                old = table.used_at < func.now() - text("interval '1 hour'")
                db.execute(
                    update(replies)
                    .where(table.key.in_(list(found)), old)
                    .values(used_at=func.now())
                )
        return found

    def keep(
        self, key: bytes, reply: Reply, scope: str = "", paid: PaidReplies | None = None
    ) -> None:
        """Have it stored, at once and without waiting. Raises what stopped an earlier one."""
        with self._settled:
            self._raise()
            self._open += 1
            if self._writer is None:
                self._writer = threading.Thread(target=self._write, name="replies", daemon=True)
                self._writer.start()
        self._arrived.put(Arrived(key, reply, scope, paid))

    def flush(self) -> None:
        """Return once all that was kept is stored. Raises what stopped that."""
        with self._settled:
            self._settled.wait_for(lambda: not self._open)
            self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _write(self) -> None:
        while True:
            batch = [self._arrived.get()]
            while len(batch) < MOST_AT_ONCE and not self._arrived.empty():
                batch.append(self._arrived.get())
            error = self._stored(batch)
            with self._settled:
                self._open -= len(batch)
                self._error = error or self._error
                self._settled.notify_all()

    def _stored(self, batch: Sequence[Arrived]) -> Exception | None:
        """None, or why they cannot be stored, after some tries: they are paid for."""
        for left in reversed(range(TRIES)):
            try:
                with self.engine.begin() as db:
                    _insert(db, batch)
            except Exception as error:  # noqa: BLE001 - raised where the next is kept
                if not left or not faults.is_outside(error):
                    return error
                time.sleep(PAUSE_S)
            else:
                for one in batch:
                    if one.paid is not None:
                        one.paid.kept += 1
                return None
        return None


class PaidReplies:
    """Stored replies, as one payer has them.

    had   keys of those that it was given so far
    kept  how many of its own are in the database
    """

    def __init__(self, stored: StoredReplies, payer: Payer) -> None:
        self.stored = stored
        self.payer = payer
        self.had: set[bytes] = set()
        self.kept = 0

    def find(self, keys: Sequence[bytes]) -> Mapping[bytes, Reply]:
        """Those of the keys that have one."""
        found = self.stored.find(keys)
        self.had |= found.keys()
        return found

    def keep(self, key: bytes, reply: Reply, scope: str = "") -> None:
        """Have it stored, at the payer's expense."""
        self.stored.keep(key, reply, scope, self)
        self.had.add(key)


def forget_old(db: Connection, settings: Settings) -> None:
    """Delete the replies that nobody can ask for again, and the longest unused ones until what is
    left fits `ASSAY_REPLIES_BYTES`; never what an evaluation at work may come back for."""
    minute = func.extract("epoch", func.now()) / 60
    db.execute(delete(model_minutes).where(model_minutes.c.minute < minute - MINUTES_KEPT))
    over = text(
        "DELETE FROM replies USING evaluations e WHERE replies.scope <> '' "
        "AND e.id = split_part(replies.scope, '/', 1) AND e.status IN ('succeeded', 'cancelled')"
    )
    db.execute(over)
    size = db.scalar(select(func.pg_total_relation_size("replies"))) or 0
    if size <= settings.replies_bytes:
        return
    bounded = text(
        "DELETE FROM replies WHERE key IN (SELECT key FROM (SELECT key, sum(pg_column_size(content)"
        " + 100) OVER (ORDER BY used_at DESC, key) AS running FROM replies WHERE used_at < now() - "
        "interval '1 hour') AS newest_first WHERE running > :limit)"
    )
    db.execute(bounded, {"limit": settings.replies_bytes * 0.8})


def _insert(db: Connection, batch: Sequence[Arrived]) -> None:
    """In one transaction with what they cost; in the order of keys, as all processes do."""
    ordered = sorted(batch, key=lambda one: one.key)
    spent: dict[Payer, dict[str, float]] = defaultdict(
        lambda: dict.fromkeys(("requests", "input_tokens", "output_tokens", "cost"), 0)
    )
    for one in ordered:
        if one.paid is not None:
            total = spent[one.paid.payer]
            total["requests"] += 1
            total["input_tokens"] += one.reply.input_tokens or 0
            total["output_tokens"] += one.reply.output_tokens or 0
            total["cost"] += one.reply.cost or 0.0
    with driver(db).cursor() as cursor:
        values = {
            "keys": [one.key for one in ordered],
            "contents": [orjson.dumps(content_of(one.reply)).decode() for one in ordered],
            "scopes": [one.scope for one in ordered],
        }
        cursor.execute(INSERT, values)
        for payer, total in sorted(spent.items(), key=lambda pair: pair[0].scope):
            named = asdict(payer)
            cursor.execute(PAY, total | named)
