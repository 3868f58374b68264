"""Shards of an evaluation and the evidence measured in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, delete, exists, func, select, true, update
from sqlalchemy.dialects.postgresql import insert

from inference.errors import ReportedError
from metrics.core.evidence import Evidence
from metrics.core.measure import passing
from metrics.core.metric import BoundMetric
from metrics.core.rows import Ints
from service.db.stored import Stored
from service.db.tables import evaluation_metrics, measurements, shards


@dataclass(frozen=True, slots=True)
class Shard(Stored):
    """Samples `start` to `stop` of an evaluation; `position`: of the metric at work on them."""

    number: int
    start: int
    stop: int
    finished: bool
    position: int | None

    @property
    def size(self) -> int:
        """How many samples."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Measurement(Stored):
    """A shard's evidence for one metric, or the error that it ended with."""

    shard: int
    evidence: bytes | None
    error: Mapping[str, Any] | None


def create(db: Connection, evaluation_id: str, size: int, shard_size: int) -> None:
    """Cut `size` samples into shards of `shard_size`, unless they are cut already."""
    if db.scalar(select(func.count()).where(shards.c.evaluation_id == evaluation_id)):
        return
    rows = [
        {
            "evaluation_id": evaluation_id,
            "number": number,
            "start": start,
            "stop": min(start + shard_size, size),
        }
        for number, start in enumerate(range(0, size, shard_size))
    ]
    db.execute(insert(shards).values(rows))


def reopen(db: Connection, evaluation_id: str) -> None:
    """Forget failures, and that the shards are finished in which a metric without a result has no
    evidence."""
    failures = delete(measurements).where(
        measurements.c.evaluation_id == evaluation_id, measurements.c.error.is_not(None)
    )
    db.execute(failures)
    metric = evaluation_metrics.c
    has_evidence = (
        exists()
        .where(
            measurements.c.evaluation_id == metric.evaluation_id,
            measurements.c.position == metric.position,
            measurements.c.shard == shards.c.number,
        )
        .correlate(evaluation_metrics, shards)
    )
    lacks_evidence = (
        exists()
        .where(metric.evaluation_id == shards.c.evaluation_id, metric.result.is_(None))
        .where(~metric.reported, ~has_evidence)
        .correlate(shards)
    )
    db.execute(
        update(shards)
        .where(shards.c.evaluation_id == evaluation_id, shards.c.finished, lacks_evidence)
        .values(finished=False, done=0, position=None)
    )


def unfinished(db: Connection, evaluation_id: str) -> list[int]:
    """The numbers of the shards that are not finished."""
    query = select(shards.c.number).where(
        shards.c.evaluation_id == evaluation_id, shards.c.finished.is_(False)
    )
    return list(db.scalars(query.order_by(shards.c.number)))


def get(db: Connection, evaluation_id: str, number: int) -> Shard | None:
    """The shard; None where there is none."""
    row = db.execute(select(shards).where(_is(evaluation_id, number))).one_or_none()
    return Shard.from_row(row) if row is not None else None


def begin(db: Connection, evaluation_id: str, number: int) -> None:
    """Another attempt begins."""
    db.execute(
        update(shards).where(_is(evaluation_id, number)).values(attempts=shards.c.attempts + 1)
    )


def note(
    db: Connection, evaluation_id: str, number: int, *, done: int, position: int | None
) -> None:
    """How far the shard is, and which metric is at work (None: generation)."""
    db.execute(
        update(shards).where(_is(evaluation_id, number)).values(done=done, position=position)
    )


def measured_with(
    db: Connection, evaluation_id: str, number: int, machine: Mapping[str, Any], *, waiting: bool
) -> None:
    """What made its numbers. A process that only waited for servers is told of where no other
    computed."""
    free = shards.c.machine.is_(None) if waiting else true()
    statement = update(shards).where(_is(evaluation_id, number), free)
    db.execute(statement.values(machine=dict(machine)))


def finish(db: Connection, evaluation_id: str, number: int, done: int) -> int:
    """Mark finished; returns how many shards are not. The caller holds the evaluation's lock."""
    values = {"finished": True, "done": done}
    db.execute(update(shards).where(_is(evaluation_id, number)).values(values))
    query = select(func.count()).where(
        shards.c.evaluation_id == evaluation_id, shards.c.finished.is_(False)
    )
    return db.scalar(query) or 0


def keep(
    db: Connection,
    evaluation_id: str,
    position: int,
    number: int,
    *,
    evidence: bytes | None = None,
    error: Mapping[str, Any] | None = None,
) -> bool:
    """Store a shard's evidence for a metric, or its failure; the first stored stands."""
    made = db.execute(
        insert(measurements)
        .values(
            evaluation_id=evaluation_id,
            position=position,
            shard=number,
            evidence=evidence,
            error=dict(error) if error else None,
        )
        .on_conflict_do_nothing()
        .returning(measurements.c.shard)
    ).one_or_none()
    return made is not None


def measured(db: Connection, evaluation_id: str, number: int) -> set[int]:
    """Positions of the metrics that are through with this shard, well or not."""
    query = select(measurements.c.position).where(
        measurements.c.evaluation_id == evaluation_id, measurements.c.shard == number
    )
    return set(db.scalars(query))


def read(db: Connection, evaluation_id: str, position: int) -> list[Measurement]:
    """Of one metric, in the order of the shards."""
    query = (
        select(measurements.c.shard, measurements.c.evidence, measurements.c.error)
        .where(measurements.c.evaluation_id == evaluation_id, measurements.c.position == position)
        .order_by(measurements.c.shard)
    )
    return [Measurement.from_row(row) for row in db.execute(query)]


def overlapping(db: Connection, evaluation_id: str, start: int, stop: int) -> list[Shard]:
    """The shards that hold samples from `start` to `stop`, in order."""
    query = select(shards).where(
        shards.c.evaluation_id == evaluation_id, shards.c.start < stop, shards.c.stop > start
    )
    return [Shard.from_row(row) for row in db.execute(query.order_by(shards.c.number))]


def evidence_of(
    db: Connection, evaluation_id: str, position: int, numbers: Sequence[int]
) -> dict[int, Evidence]:
    """One metric's evidence in those of the shards that have some, by their number."""
    query = select(measurements.c.shard, measurements.c.evidence).where(
        measurements.c.evaluation_id == evaluation_id,
        measurements.c.position == position,
        measurements.c.shard.in_(list(numbers)),
        measurements.c.evidence.is_not(None),
    )
    return {row.shard: Evidence.decode(row.evidence) for row in db.execute(query)}


def replace(
    db: Connection, evaluation_id: str, position: int, evidence: Evidence, starts: Ints
) -> None:
    """Store a metric's evidence of all outputs in place of what there was.

    starts  (n_samples + 1,) the first output of each sample, and how many there are
    """
    drop(db, evaluation_id, position)
    for part in overlapping(db, evaluation_id, 0, len(starts) - 1):
        own = evidence.take(range(int(starts[part.start]), int(starts[part.stop])))
        keep(db, evaluation_id, position, part.number, evidence=own.encode())


def drop(db: Connection, evaluation_id: str, position: int) -> None:
    """Forget a metric's evidence: bulky, its result is in, or there is other."""
    db.execute(
        delete(measurements).where(
            measurements.c.evaluation_id == evaluation_id, measurements.c.position == position
        )
    )


def forget_passing(db: Connection, evaluation_id: str, position: int, metric: BoundMetric) -> bool:
    """Have a metric measured again in the shards where a server, a budget or a machine's load has
    kept it from some outputs; whether there is one."""
    numbers = [
        one.shard
        for one in read(db, evaluation_id, position)
        if one.evidence is not None and passing(metric, Evidence.decode(one.evidence)).any()
    ]
    if numbers:
        table, metrics = measurements.c, evaluation_metrics.c
        own = (table.evaluation_id == evaluation_id) & (table.position == position)
        db.execute(delete(measurements).where(own, table.shard.in_(numbers)))
        own = (metrics.evaluation_id == evaluation_id) & (metrics.position == position)
        db.execute(update(evaluation_metrics).where(own).values(result=None))
    return bool(numbers)


def forget(db: Connection, evaluation_id: str, indices: Sequence[int]) -> None:
    """Have the shards of these samples measured again, by every metric that is measured."""
    query = select(shards.c.number, shards.c.start, shards.c.stop)
    parts = db.execute(query.where(shards.c.evaluation_id == evaluation_id)).all()
    lost = np.sort(np.asarray(indices))
    numbers = [
        part.number
        for part in parts
        if np.searchsorted(lost, part.start) < np.searchsorted(lost, part.stop)
    ]
    table = evaluation_metrics
    measured = (table.c.evaluation_id == evaluation_id) & ~table.c.reported
    db.execute(
        delete(measurements).where(
            measurements.c.evaluation_id == evaluation_id,
            measurements.c.shard.in_(numbers),
            measurements.c.position.in_(select(table.c.position).where(measured)),
        )
    )
    db.execute(update(table).where(measured).values(result=None))


def joined(measurements: Sequence[Measurement]) -> Evidence:
    """The shards' evidence, in order. Raises the first stored failure."""
    for one in measurements:
        if one.error:
            raise ReportedError(one.error["message"], one.error.get("param"))
    return Evidence.concat([Evidence.decode(one.evidence or b"") for one in measurements])


def _is(evaluation_id: str, number: int) -> ColumnElement[bool]:
    return (shards.c.evaluation_id == evaluation_id) & (shards.c.number == number)
