"""The tasks that compute an evaluation: plan it, measure its shards, close it.

    evaluate.plan   resolves parameters and signatures, cuts the shards, defers one task each
    evaluate.shard  generates outputs where a model is to, then measures every metric on them
    evaluate.ask    the same where that is waiting for models behind URLs; see `steps`
    evaluate.close  joins the shards' evidence, settles it, stores values with their intervals

Each handler may run any number of times, at the same time even: what is stored first stands, and
every change of an evaluation happens under its row's lock.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from inference.charged import Charged
from inference.errors import Cancelled, ReportedError
from metrics.core.measure import items_of, measure
from metrics.core.metric import Sample
from metrics.core.signature import parts
from service import faults
from service.datasets import store as datasets
from service.datasets.store import Content
from service.evaluations import opponents, outputs, plans, shards, steps, usages
from service.evaluations import store as evaluations
from service.evaluations.cache import StoredEvidence
from service.evaluations.generating import generate
from service.evaluations.plans import Plan
from service.evaluations.progress import Progress
from service.evaluations.shards import Shard
from service.evaluations.store import Evaluation, State
from service.jobs import counters, queue
from service.jobs.context import Context
from service.jobs.machine import machine
from service.jobs.model_counters import ModelCounters
from service.models.replies import Payer

FAILED_METRIC = "metric_failed"
CLOSING_PRIORITY = 1  # plans and shards have 0


def plan(context: Context, evaluation: str) -> None:
    """Make everything concrete that was left open, and defer the shards."""
    with context.engine.begin() as db:
        row = evaluations.get(db, evaluation)
        if row is None or row.status in evaluations.FINAL:
            return
        samples = [Sample.of(record, ()) for record in datasets.read_records(db, row.dataset_id)]
        requested = plans.read(db, evaluation)
    open_ = [one for one in requested if not one.concluded]
    planned = [_plan_metric(context, one, samples) for one in open_]
    about: dict[str, Any] = {}
    if row.model:
        identity = context.models.identity(row.model)
        about["model"] = {"name": identity.name, "weights": identity.weights}
    with context.engine.begin() as db:
        locked = evaluations.lock(db, evaluation)
        if locked is None or locked.status != "queued":
            return
        for one, made in zip(open_, planned, strict=True):
            if one.signature is not None and made.get("signature") != one.signature:
                shards.drop(db, evaluation, one.position)  # measured with another model
            plans.complete(db, evaluation, one.position, **made)
        roots = context.settings.metric_roots
        waiting = steps.begins_waiting(db, row, plans.read(db, evaluation), roots)
        shards.create(db, evaluation, row.size, context.settings.shard_size)
        shards.reopen(db, evaluation)
        numbers = shards.unfinished(db, evaluation)
        evaluations.start(db, evaluation, about | {"shards": len(numbers), "samples": row.size})
        for number in numbers:
            steps.defer(db, evaluation, number, waiting=waiting)
        if not numbers:  # all is measured: an earlier closing failed
            _begin_closing(db, evaluation)


def measure_shard(context: Context, evaluation: str, shard: int) -> None:
    """Compute what of the shard is not stored yet."""
    _measure_shard(context, evaluation, shard, waiting=False)


def ask_shard(context: Context, evaluation: str, shard: int) -> None:
    """Ask servers for what of the shard is not stored yet."""
    _measure_shard(context, evaluation, shard, waiting=True)


def _measure_shard(context: Context, evaluation: str, shard: int, *, waiting: bool) -> None:
    """One side's steps; then the other side goes on, or the shard is finished."""
    with context.engine.begin() as db:
        row = evaluations.get(db, evaluation)
        part = shards.get(db, evaluation, shard)
        if row is None or part is None or row.status != "running" or part.finished:
            return
        shards.begin(db, evaluation, shard)
        usages.reset(db, evaluation, part.start)
        planned, roots = plans.read(db, evaluation), context.settings.metric_roots
        todo = steps.steps(db, row, part, planned, roots, waiting=waiting)
        records = datasets.read_records(db, row.dataset_id, part.start, part.stop)
    progress = Progress(context, evaluation, shard, total=len(records), finished=todo.done)
    usage = ModelCounters(context)
    try:
        if todo.generate:
            progress.enter(None)
            generate(context, row, records, part.start, progress.items)
            progress.leave()
        if todo.metrics:
            samples = _read_samples(context, evaluation, records, part.start)
            _measure_metrics(context, row, part, todo.metrics, samples, progress)
    except Cancelled:
        return
    with context.engine.begin() as db:
        locked = evaluations.lock(db, evaluation)
        if locked is None or locked.status != "running":
            return
        shards.measured_with(db, evaluation, shard, machine(context), waiting=waiting)
        if todo.left:
            shards.note(db, evaluation, shard, done=progress.total_done, position=None)
            steps.defer(db, evaluation, shard, waiting=not waiting)
        else:
            _finish_shard(db, evaluation, shard, progress.total_done, locked)
        counters.add(db, usage.spent())  # last: every handler locks the counters last


def plan_failed(context: Context, evaluation: str, reason: str) -> None:
    """The plan cannot be made."""
    _fail(context, evaluation, "planning_failed", reason)


def shard_failed(context: Context, evaluation: str, shard: int, reason: str) -> None:
    """The shard's last attempt is gone: blame the metric at work, and go on with the others."""
    with context.engine.begin() as db:
        locked = evaluations.lock(db, evaluation)
        part = shards.get(db, evaluation, shard)
        if locked is None or part is None or locked.status != "running" or part.finished:
            return
        if part.position is not None:
            error = {"code": FAILED_METRIC, "message": reason}
            if shards.keep(db, evaluation, part.position, shard, error=error):
                steps.defer(db, evaluation, shard, waiting=False)
                return
    _fail(context, evaluation, "generation_failed", reason)


def close_failed(context: Context, evaluation: str, reason: str) -> None:
    """The result cannot be reached."""
    _fail(context, evaluation, "closing_failed", reason)


def _plan_metric(
    context: Context, one: Plan, samples: list[Sample]
) -> dict[str, Mapping[str, Any]]:
    context.advance()
    try:
        metric = one.bound(context.settings.metric_roots).resolve(samples)
        signature = parts(metric, context.models)
    except ReportedError as error:
        if faults.is_outside(error):
            raise
        return {"error": described(error)}
    return {"resolved": metric.dump(), "signature": signature}


def _read_samples(
    context: Context, evaluation: str, records: list[Content], start: int
) -> list[Sample]:
    with context.engine.begin() as db:
        texts = outputs.read(db, evaluation, start, start + len(records))
        details = outputs.read_details(db, evaluation, start, start + len(records))
    return [
        replace(Sample.of(record, texts.get(at, ())), details=details.get(at, ()))
        for at, record in enumerate(records, start)
    ]


def _measure_metrics(
    context: Context,
    row: Evaluation,
    part: Shard,
    planned: Sequence[Plan],
    samples: list[Sample],
    progress: Progress,
) -> None:
    for one in planned:
        progress.enter(one.position)
        payer = Payer(row.id, part.start, one.position)
        models = usages.charged(context.engine, context.models, payer, row.budget)
        _measure_metric(context, row.id, part.number, one, samples, progress, models)
        usages.settle(context.engine, models)
        progress.leave()


def _measure_metric(
    context: Context,
    evaluation: str,
    shard: int,
    one: Plan,
    samples: list[Sample],
    progress: Progress,
    models: Charged,
) -> None:
    began = time.monotonic()
    cache = StoredEvidence(context.engine)
    kept: dict[str, Any]
    items, _ = items_of(samples)
    try:
        metric = one.bound(context.settings.metric_roots)
        if metric.opponent is not None:
            with context.engine.connect() as db:
                items, _ = items_of(opponents.opposed(db, metric, samples))
        progress.expect(len(items))
        evidence = measure(
            metric,
            items,
            models,
            cache if context.settings.evidence_cache_bytes else None,
            progress.items,
        )
        kept = {"evidence": evidence.encode()}
    except ReportedError as error:
        if isinstance(error, Cancelled) or faults.is_outside(error):
            raise
        kept = {"error": described(error)}
    with context.engine.begin() as db:
        if shards.keep(db, evaluation, one.position, shard, **kept) and "evidence" in kept:
            counters.add(
                db,
                {
                    ("rows_measured", one.name): len(items),
                    ("rows_from_cache", one.name): cache.hits,
                    ("measure_seconds", one.name): time.monotonic() - began,
                },
            )


def _finish_shard(db: Connection, evaluation: str, shard: int, done: int, locked: State) -> None:
    """The last shard to finish defers the closing."""
    left = shards.finish(db, evaluation, shard, done)
    if left == 0 and not locked.closing:
        _begin_closing(db, evaluation)
    elif left and locked.stop_when_settled is not None:
        lock = f"look {evaluation}"
        queue.defer(
            db, "gate.look", priority=CLOSING_PRIORITY, queueing_lock=lock, measured=evaluation
        )


def _begin_closing(db: Connection, evaluation: str) -> None:
    """All shards are in: defer the closing, which is short and goes before others' shards. The
    caller holds the lock."""
    evaluations.begin_closing(db, evaluation)
    queue.defer(db, "evaluate.close", priority=CLOSING_PRIORITY, evaluation=evaluation)


def _fail(context: Context, evaluation: str, code: str, reason: str) -> None:
    with context.engine.begin() as db:
        locked = evaluations.lock(db, evaluation)
        if locked is None or locked.status in evaluations.FINAL:
            return
        error = {"code": code, "message": reason}
        evaluations.finish(db, evaluation, "failed", {"error": error}, error)


def described(error: ReportedError) -> dict[str, Any]:
    """A metric's error, as it is stored and shown."""
    found: dict[str, Any] = {"code": error.code, "message": error.message}
    return found | ({"param": error.field} if error.field else {})
