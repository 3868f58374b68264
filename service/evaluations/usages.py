"""What an evaluation has taken of models behind URLs, and may still take."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, func, select, update
from sqlalchemy.dialects.postgresql import insert

from inference.charged import Charged
from inference.remote.hooks import Account, MemoryReplies, Need, Unanswered
from service.db.reply_tables import usages
from service.evaluations import store as evaluations
from service.models.replies import GENERATION, PaidReplies, Payer, StoredReplies

if TYPE_CHECKING:
    from inference.pool import ModelPool

WAIT_S = 0.5  # between two looks at what others hold
HELD = {"held_requests": 0, "held_tokens": 0, "held_cost": 0.0}
SUMS = (
    *("requests", "input_tokens", "output_tokens", "cost", "cached"),
    *("unanswered_requests", "unanswered_tokens", "unanswered_cost"),
)


@dataclass(frozen=True, slots=True)
class Usage:
    """Sums over the shards of an evaluation. `cached` replies were paid for earlier.

    unanswered_…  what requests may have taken, at most, that are out, or were when their process
                  was killed
    metrics       what of all this its metrics took
    """

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    cached: int = 0
    unanswered_requests: int = 0
    unanswered_tokens: int = 0
    unanswered_cost: float = 0.0
    metrics: Usage | None = None

    @property
    def tokens(self) -> int:
        """All that are known."""
        return self.input_tokens + self.output_tokens

    @property
    def charged(self) -> Mapping[str, float]:
        """What counts against a budget."""
        return {
            "requests": self.requests + self.unanswered_requests,
            "tokens": self.tokens + self.unanswered_tokens,
            "cost": self.cost + self.unanswered_cost,
        }


def reset(db: Connection, evaluation: str, start: int) -> None:
    """A shard's attempt begins: nothing is held, whatever an earlier one held."""
    named = (usages.c.evaluation_id == evaluation) & (usages.c.start == start)
    db.execute(update(usages).where(named).values(HELD))


def begin(db: Connection, payer: Payer) -> None:
    """The payer is about to ask."""
    row = {"evaluation_id": payer.evaluation, "start": payer.start, "metric": payer.metric}
    change = insert(usages).values(row)
    db.execute(change.on_conflict_do_update(index_elements=list(row), set_=HELD))


def end(db: Connection, payer: Payer, answered: int) -> None:
    """It has all it asked for, so many replies: those that it has not paid for were."""
    cached = func.greatest(answered - usages.c.requests, 0)
    db.execute(update(usages).where(_of(payer)).values(HELD | {"cached": cached}))


def read(db: Connection, evaluation_ids: Sequence[str]) -> dict[str, Usage]:
    """What each of the evaluations has taken; those that asked no model behind a URL are absent."""
    measuring = usages.c.metric != GENERATION
    query = (
        select(
            usages.c.evaluation_id,
            measuring.label("measuring"),
            *(func.sum(usages.c[name]).cast(usages.c[name].type).label(name) for name in SUMS),
        )
        .where(usages.c.evaluation_id.in_(list(evaluation_ids)))
        .group_by(usages.c.evaluation_id, measuring)
    )
    parts: dict[str, dict[bool, Usage]] = {}
    for row in db.execute(query):
        found = {name: row._mapping[name] for name in SUMS}
        parts.setdefault(row.evaluation_id, {})[row.measuring] = Usage(**found)
    return {id: _together(part.get(False), part.get(True)) for id, part in parts.items()}


def charged(
    engine: Engine, models: ModelPool, payer: Payer, budget: Mapping[str, Any] | None
) -> Charged:
    """The models for one metric of a shard, at the evaluation's expense."""

    def opened() -> Account:
        kept = models.replies
        with engine.begin() as db:
            begin(db, payer)
        if not isinstance(kept, StoredReplies):
            return Account(payer.scope, kept or MemoryReplies())
        paid = kept.paid_by(payer)
        bound = StoredBudget(engine, paid, budget) if budget is not None else None
        return Account(payer.scope, paid, bound)

    return Charged(models, opened)


def settle(engine: Engine, models: Charged) -> None:
    """Count what was had at the account's expense, if anything was."""
    replies = models.opened.replies if models.opened is not None else None
    if isinstance(replies, PaidReplies):
        replies.stored.flush()
        with engine.begin() as db:
            end(db, replies.payer, len(replies.had))


def _together(generated: Usage | None, measured: Usage | None) -> Usage:
    if generated is None or measured is None:
        return replace(generated or measured or Usage(), metrics=measured)
    both = {name: getattr(generated, name) + getattr(measured, name) for name in SUMS}
    return Usage(**both, metrics=measured)


class StoredBudget:
    """See `inference.remote.hooks.Budget`; shared by the shards of an evaluation."""

    def __init__(self, engine: Engine, replies: PaidReplies, most: Mapping[str, Any]) -> None:
        self.engine = engine
        self.replies = replies
        self.payer = replies.payer
        self.most = most
        self._unanswered = self._sending(())

    def hold(self, needs: Sequence[Need], alive: Callable[[], None]) -> int:
        """How many of the requests, in order, may be sent; waits while others hold what is left."""
        self.replies.stored.flush()
        while True:
            with self.engine.begin() as db:
                count, others = self._held(db, needs)
            if count or not others:
                self._unanswered = self._sending(needs[:count])
                return count
            alive()
            time.sleep(WAIT_S)

    def out(self, count: int = 1) -> AbstractAsyncContextManager[None]:
        """Around each request that is held, or so many that go together, while they are out."""
        return self._unanswered.requests(count)

    def release(self) -> None:
        """What was sent is answered, and counted."""
        self.replies.stored.flush()
        self._write(*self._unanswered.settle(), released=True)

    def _sending(self, needs: Sequence[Need]) -> Unanswered:
        return Unanswered(needs, lambda: self.replies.kept, self._write)

    def _write(self, count: int, need: Need, released: bool = False) -> None:
        """So many more requests have no answer."""
        change = {
            "unanswered_requests": usages.c.unanswered_requests + count,
            "unanswered_tokens": usages.c.unanswered_tokens + need.tokens,
            "unanswered_cost": usages.c.unanswered_cost + need.cost,
        }
        with self.engine.begin() as db:
            values = change | HELD if released else change
            db.execute(update(usages).where(_of(self.payer)).values(values))

    def _held(self, db: Connection, needs: Sequence[Need]) -> tuple[int, bool]:
        """How many fit into what is left, which are held from now on; whether others hold some."""
        evaluations.lock(db, self.payer.evaluation)
        table = usages.c
        query = select(
            func.sum(table.requests + table.held_requests + table.unanswered_requests),
            func.sum(
                table.input_tokens
                + table.output_tokens
                + table.held_tokens
                + table.unanswered_tokens
            ),
            func.sum(table.cost + table.held_cost + table.unanswered_cost),
            func.sum(table.held_requests),
        ).where(table.evaluation_id == self.payer.evaluation)
        requests, tokens, cost, held = db.execute(query).one()
        left = {
            "requests": self.most.get("requests", float("inf")) - int(requests or 0),
            "tokens": self.most.get("tokens", float("inf")) - int(tokens or 0),
            "cost": self.most.get("cost", float("inf")) - float(cost or 0.0),
        }
        count, taken_tokens, taken_cost = 0, 0, 0.0
        for need in needs:
            if (
                count + 1 > left["requests"]
                or taken_tokens + need.tokens > left["tokens"]
                or taken_cost + need.cost > left["cost"]
            ):
                break
            count += 1
            taken_tokens, taken_cost = taken_tokens + need.tokens, taken_cost + need.cost
        values = {"held_requests": count, "held_tokens": taken_tokens, "held_cost": taken_cost}
        db.execute(update(usages).where(_of(self.payer)).values(values))
        return count, bool(held)


def _of(payer: Payer) -> Any:
    table = usages.c
    return (
        (table.evaluation_id == payer.evaluation)
        & (table.start == payer.start)
        & (table.metric == payer.metric)
    )
