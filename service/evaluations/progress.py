"""How far a shard is: written twice a second at most, and the moment to notice a cancel."""

from __future__ import annotations

import time

from inference.errors import Cancelled
from service.db.notices import notify
from service.evaluations import shards
from service.evaluations import store as evaluations
from service.jobs.context import Context

EVERY_SECONDS = 0.5


class Progress:
    """Counts measurements of one shard: `total` a step, a step being generation or one metric.

    finished  steps that were finished before
    """

    def __init__(
        self, context: Context, evaluation: str, shard: int, total: int, finished: int = 0
    ) -> None:
        self.context = context
        self.evaluation = evaluation
        self.shard = shard
        self.total = total
        self.finished_steps = finished
        self.position: int | None = None
        self.expected = total  # items of the step at work
        self.seen = 0
        self.written = 0.0

    @property
    def total_done(self) -> int:
        """Measurements of the steps that are finished."""
        return self.finished_steps * self.total

    def enter(self, position: int | None) -> None:
        """A step begins; a crash from here on is this metric's."""
        self.context.advance()
        self.position, self.expected, self.seen = position, self.total, 0
        self._write()

    def expect(self, items: int) -> None:
        """The step at work measures this many items, equal ones once."""
        self.expected = max(items, 1)

    def leave(self) -> None:
        """The step at work is finished."""
        self.finished_steps += 1

    def items(self, count: int) -> None:
        """`count` more items are through. Raises Cancelled when nobody wants them any more."""
        self.context.advance()
        self.seen += count
        if self.context.cancelled():
            raise Cancelled("stopped between two batches")
        if time.monotonic() - self.written >= EVERY_SECONDS:
            self._write()

    def _write(self) -> None:
        part = self.total * min(self.seen, self.expected) // self.expected
        with self.context.engine.begin() as db:
            if evaluations.status(db, self.evaluation) != "running":
                raise Cancelled("the evaluation is over")
            done = self.total_done + part
            shards.note(db, self.evaluation, self.shard, done=done, position=self.position)
            notify(db, self.evaluation)
        self.written = time.monotonic()
