"""What a job's rewards have been answered by URLs, and what that took: a file in the job's folder.

All attempts and all processes of the job share it, so what was paid for once is not asked for
again, and a budget is the whole job's. Usage is the sum over the replies, and the most that those
requests may have taken that were out when an attempt was killed.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import orjson

from inference.chat import Reply
from inference.remote.hooks import Account, Need, Unanswered, content_of, reply_of
from trainers.job.options import Budget

FILE = "replies.sqlite"
PATIENCE_S = 60.0  # for the file, while other processes write
WAIT_S = 0.2  # between two looks at what other processes hold
TABLES = """
CREATE TABLE IF NOT EXISTS replies (
    key BLOB PRIMARY KEY, content TEXT NOT NULL, tokens INTEGER NOT NULL, cost REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS held (
    attempt INTEGER, rank INTEGER, requests INTEGER, tokens INTEGER, cost REAL,
    PRIMARY KEY (attempt, rank)
);
CREATE TABLE IF NOT EXISTS unanswered (
    attempt INTEGER, requests INTEGER NOT NULL, tokens INTEGER NOT NULL, cost REAL NOT NULL
);
"""
KEEP = "INSERT OR IGNORE INTO replies VALUES (?, ?, ?, ?)"
HOLD = "INSERT OR REPLACE INTO held VALUES (?, ?, ?, ?, ?)"
SEND = "INSERT INTO unanswered VALUES (?, ?, ?, ?)"
SPENT = """
SELECT coalesce(sum(requests), 0), coalesce(sum(tokens), 0), coalesce(sum(cost), 0.0) FROM (
    SELECT 1 AS requests, tokens, cost FROM replies
    UNION ALL SELECT requests, tokens, cost FROM unanswered WHERE attempt <> ?
)
"""
HELD = (
    "SELECT coalesce(sum(requests), 0), coalesce(sum(tokens), 0), coalesce(sum(cost), 0.0) "
    "FROM held WHERE attempt = ? AND rank <> ?"
)


@dataclass(frozen=True, slots=True)
class Spent:
    """What was taken."""

    requests: int = 0
    tokens: int = 0
    cost: float = 0.0

    def less(self, other: Spent) -> Spent:
        """The difference."""
        return Spent(
            self.requests - other.requests, self.tokens - other.tokens, self.cost - other.cost
        )


class Ledger:
    """See `inference.remote.hooks.Replies` and `Budget`. The file is made at the first use.

    exhausted  whether something was not asked for, since the budget did not hold it any more
    """

    def __init__(
        self, folder: Path, job: str, budget: Budget | None, attempt: int = 1, rank: int = 0
    ) -> None:
        self.path = folder / FILE
        self.budget = budget
        self.exhausted = False
        self._job = job
        self._who = (attempt, rank)
        self._lock = threading.Lock()
        self._kept = 0
        self._unanswered = self._sending(())

    @property
    def account(self) -> Account:
        """At the job's expense."""
        return Account(self._job, self, self if self.budget is not None else None)

    def find(self, keys: Sequence[bytes]) -> Mapping[bytes, Reply]:
        """Those of the keys that have one."""
        marks = ", ".join("?" * len(keys))
        query = f"SELECT key, content FROM replies WHERE key IN ({marks})"  # noqa: S608 (marks alone)
        with self._lock:
            rows = self._db.execute(query, list(keys)).fetchall()
        return {key: reply_of(orjson.loads(content)) for key, content in rows}

    def keep(self, key: bytes, reply: Reply, scope: str = "") -> None:
        """Store a reply, which counts as paid for."""
        tokens = (reply.input_tokens or 0) + (reply.output_tokens or 0)
        content = orjson.dumps(content_of(reply)).decode()
        with self._lock:
            self._db.execute(KEEP, (key, content, tokens, reply.cost or 0.0))
            self._kept += 1

    def hold(self, needs: Sequence[Need], alive: Callable[[], None]) -> int:
        """How many of the requests, in order, may be sent; waits while other processes hold what
        is left."""
        while True:
            with self._transaction() as db:
                count, others = self._held(db, needs)
            if count or not others:
                self._unanswered = self._sending(needs[:count])
                self.exhausted |= not count
                return count
            alive()
            time.sleep(WAIT_S)

    def out(self, count: int = 1) -> AbstractAsyncContextManager[None]:
        """Around each request that is held, or so many that go together, while they are out."""
        return self._unanswered.requests(count)

    def release(self) -> None:
        """All that was sent is answered."""
        self._send(*self._unanswered.settle())
        with self._transaction() as db:
            db.execute(HOLD, (*self._who, 0, 0, 0.0))

    def spent(self) -> Spent:
        """By all attempts and processes so far."""
        if not self.path.exists():
            return Spent()
        with self._lock:
            return Spent(*self._db.execute(SPENT, self._who[:1]).fetchone())

    def lasts(self, use: Spent) -> bool:
        """Whether what is left of the budget holds as much again as `use`."""
        left = self._left(self.spent())
        return use.requests <= left[0] and use.tokens <= left[1] and use.cost <= left[2]

    def told(self) -> str:
        """What was spent and what may be, as a sentence."""
        spent, budget = self.spent(), self.budget or Budget(requests=1)
        parts = [
            f"{name} {value:g} of {limit:g}"
            for name, value, limit in (
                ("requests", spent.requests, budget.requests),
                ("tokens", spent.tokens, budget.tokens),
                ("cost", spent.cost, budget.cost),
            )
            if limit is not None
        ]
        return f"{', '.join(parts)}; resume the job with a greater `budget`"

    def _held(self, db: sqlite3.Connection, needs: Sequence[Need]) -> tuple[int, bool]:
        """How many fit into what is left, which are held from now on; whether others hold some."""
        others = Spent(*db.execute(HELD, self._who).fetchone())
        left = self._left(Spent(*db.execute(SPENT, self._who[:1]).fetchone()))
        requests, tokens, cost = others.requests, others.tokens, others.cost
        count = 0
        for need in needs:
            requests, tokens, cost = requests + 1, tokens + need.tokens, cost + need.cost
            if requests > left[0] or tokens > left[1] or cost > left[2]:
                break
            count += 1
        own = needs[:count]
        taken = (sum(one.tokens for one in own), sum(one.cost for one in own))
        db.execute(HOLD, (*self._who, count, *taken))
        return count, others.requests > 0

    def _sending(self, needs: Sequence[Need]) -> Unanswered:
        return Unanswered(needs, lambda: self._kept, self._send)

    def _send(self, count: int, need: Need) -> None:
        """So many more requests have no answer."""
        if count:
            with self._lock:
                self._db.execute(SEND, (self._who[0], count, need.tokens, need.cost))

    def _left(self, spent: Spent) -> tuple[float, float, float]:
        endless, budget = float("inf"), self.budget
        if budget is None:
            return endless, endless, endless
        return (
            endless if budget.requests is None else budget.requests - spent.requests,
            endless if budget.tokens is None else budget.tokens - spent.tokens,
            endless if budget.cost is None else budget.cost - spent.cost,
        )

    @cached_property
    def _db(self) -> sqlite3.Connection:
        made = sqlite3.connect(
            self.path, timeout=PATIENCE_S, isolation_level=None, check_same_thread=False
        )
        made.execute("PRAGMA journal_mode = WAL")  # a killed process loses nothing
        made.execute("PRAGMA synchronous = NORMAL")
        made.executescript(TABLES)
        return made

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
