"""The steps of a shard, and on which side each is done: waiting for servers, or computing.

A step waits where all that it runs is behind URLs; it is done by `evaluate.ask`, on the queue
`ask`, so that a server that takes its time holds up nobody who computes. All other steps are done
by `evaluate.shard`: also those that run a model here beside one behind a URL.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from inference.errors import ReportedError
from metrics.core.metric import BoundMetric
from service.evaluations import outputs, shards
from service.evaluations.plans import Plan
from service.evaluations.shards import Shard
from service.evaluations.store import Evaluation
from service.jobs import queue
from service.models import registered


@dataclass(frozen=True, slots=True)
class Steps:
    """What of a shard one side has to do.

    done      steps that are finished already
    generate  the outputs are to be made
    metrics   to be measured
    left      there is something to do for the other side, afterwards
    """

    done: int
    generate: bool
    metrics: Sequence[Plan]
    left: bool


def waits(db: Connection, metric: BoundMetric) -> bool:
    """Whether a metric is measured by waiting for servers alone."""
    names = metric.models
    calls = metric.metric.calls_url or bool(names)
    return calls and all(registered.find(db, name) is not None for name in names)


def begins_waiting(
    db: Connection, row: Evaluation, planned: Sequence[Plan], roots: Sequence[Path]
) -> bool:
    """Whether the first step of its shards is one that waits."""
    if row.model is not None:
        return registered.find(db, row.model) is not None
    return any(_waits(db, one, roots) for one in planned)


def steps(
    db: Connection,
    row: Evaluation,
    part: Shard,
    planned: Sequence[Plan],
    roots: Sequence[Path],
    *,
    waiting: bool,
) -> Steps:
    """What is to be done on this side, `waiting` or not, of what is not stored yet."""
    measurable = [one for one in planned if one.error is None]
    stored = shards.measured(db, row.id, part.number)
    lacking = [one for one in measurable if not one.concluded and one.position not in stored]
    generated = row.model is None or outputs.count(db, row.id, part.start, part.stop) == part.size
    done = len(measurable) - len(lacking) + (row.model is not None and generated)
    if not generated and begins_waiting(db, row, planned, roots) != waiting:
        return Steps(done, False, (), left=True)
    mine = [one for one in lacking if _waits(db, one, roots) == waiting]
    return Steps(done, not generated, mine, left=len(mine) < len(lacking))


def defer(db: Connection, evaluation: str, shard: int, *, waiting: bool) -> None:
    """Have one side go on with a shard. One task of each is enough, on either side."""
    name, side = ("evaluate.ask", "ask") if waiting else ("evaluate.shard", "score")
    lock = f"shard {evaluation} {shard}"
    queue.defer(db, name, queue=side, queueing_lock=lock, evaluation=evaluation, shard=shard)


def _waits(db: Connection, one: Plan, roots: Sequence[Path]) -> bool:
    with suppress(ReportedError):  # told where it is measured
        return waits(db, one.bound(roots))
    return False
