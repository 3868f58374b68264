"""score.batch: requests of `POST /v1/score`; those for the same metrics are measured together."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inference.errors import Cancelled, ReportedError
from metrics import find
from metrics.core.beside import numbers_of, with_fields
from metrics.core.evidence import FLAG, Evidence
from metrics.core.measure import items_of, measure
from metrics.core.metric import BoundMetric, Sample
from metrics.core.result import Result, conclude
from metrics.core.rows import Floats, Ints
from metrics.core.signature import parts
from service import faults
from service.db import worker_requests
from service.evaluations.cache import StoredEvidence
from service.evaluations.jobs import described
from service.evaluations.progress import EVERY_SECONDS
from service.jobs import counters
from service.jobs.context import Context
from service.jobs.model_counters import ModelCounters

MOST_REQUESTS = 256  # merged at a time
# one replicate: this answer carries no intervals, and a reward loop should not wait for them
REPLICATES = 1


@dataclass(slots=True)
class Waiting:
    """One request on its way to an answer."""

    id: str
    samples: list[Sample]
    scores: dict[str, Any]


def score_batch(context: Context, request: str) -> None:
    """Answer the request and others like it. The transaction stays open meanwhile, so no other
    worker measures them; when this one dies, they are free again. Stops when nobody waits any
    more. Tried again, a request goes alone: one that breaks its batch breaks no other's twice."""
    usage = ModelCounters(context)
    with context.engine.begin() as db:
        taken = worker_requests.take(db, request, MOST_REQUESTS if context.attempt == 1 else 1)
        if not taken:
            return
        watch = _watch(context, [one.id for one in taken])
        waiting = [
            Waiting(
                one.id, [Sample.of(each, each["outputs"]) for each in one.request["samples"]], {}
            )
            for one in taken
        ]
        spent: dict[tuple[str, str], float] = {}
        try:
            for asked in taken[0].request["metrics"]:
                spent |= _score(context, asked, waiting, watch)
        except Cancelled:
            return
        for one in waiting:
            worker_requests.answer(db, one.id, {"scores": one.scores})
        counters.add(db, spent | usage.spent())  # last: its rows stay locked until the commit


def score_failed(context: Context, request: str, reason: str) -> None:
    """Tell the one who waits."""
    with context.engine.begin() as db:
        worker_requests.refuse(db, request, "scoring_failed", reason)


def _watch(context: Context, requests: Sequence[str]) -> Callable[[int], None]:
    """To call between batches: raises Cancelled when nobody waits for the requests any more."""
    looked = time.monotonic()

    def look(_: int) -> None:
        nonlocal looked
        context.advance()
        if time.monotonic() - looked < EVERY_SECONDS:
            return
        with context.engine.connect() as db:
            wanted = worker_requests.wanted(db, requests)
        if not wanted:
            raise Cancelled("nobody waits for these scores any more")
        looked = time.monotonic()

    return look


def _score(
    context: Context,
    asked: dict[str, Any],
    waiting: Sequence[Waiting],
    watch: Callable[[int], None],
) -> dict[tuple[str, str], float]:
    """One metric for all requests; those whose parameters resolve alike share their batches.

    Returns what it adds to the counters.
    """
    began = time.monotonic()
    rows = hits = 0
    requested = find(asked["name"], context.settings.metric_roots).bind(asked["params"])
    alike: dict[str, tuple[BoundMetric, list[Waiting]]] = {}
    for one in waiting:
        resolved = requested.resolve(one.samples)
        alike.setdefault(resolved.params.model_dump_json(), (resolved, []))[1].append(one)
    for metric, together in alike.values():
        samples = [sample for one in together for sample in one.samples]
        items, unit = items_of(samples)
        cache = StoredEvidence(context.engine)
        try:
            signature = parts(metric, context.models)
            evidence = measure(metric, items, context.models, cache, watch)
            numbers = numbers_of(samples, metric.fields)
            evidence = with_fields(metric, evidence, unit, numbers)
            _split(metric, signature, evidence, unit, together)
        except ReportedError as error:
            if isinstance(error, Cancelled) or faults.is_outside(error):
                raise
            for one in together:
                for name in metric.score_names:
                    one.scores[name] = {"value": None, "error": described(error)}
            continue
        rows, hits = rows + len(items), hits + cache.hits
    return {
        ("rows_measured", requested.name): rows,
        ("rows_from_cache", requested.name): hits,
        ("measure_seconds", requested.name): time.monotonic() - began,
    }


def _split(
    metric: BoundMetric,
    signature: dict[str, str],
    evidence: Evidence,
    unit: Ints,
    together: Sequence[Waiting],
) -> None:
    """Each request's part of the evidence, concluded as its own set."""
    first = 0
    for one in together:
        last = first + len(one.samples)
        chosen = np.flatnonzero((unit >= first) & (unit < last))
        result = conclude(
            metric,
            evidence.take(chosen),
            unit[chosen] - first,
            [sample.id for sample in one.samples],
            signature,
            replicates=REPLICATES,
        )
        values = result.per_sample
        if values is None and _all_missing(metric, evidence.take(chosen)):
            values = np.full((len(one.samples), len(result.scores)), np.nan)
        one.scores.update(_shown(result, values))
        first = last


def _all_missing(metric: BoundMetric, evidence: Evidence) -> bool:
    """Whether each sample has a value of its own, and no output's could be measured."""
    codes = evidence[FLAG].tolist() if FLAG in evidence and not metric.set_level else []
    return bool(codes) and all(code and metric.flags[code].missing for code in codes)


def _shown(result: Result, values: Floats | None) -> dict[str, Any]:
    """values  (n, S) of samples, NaN where one has none; None where no sample has any"""
    shown: dict[str, Any] = {}
    for index, score in enumerate(result.scores):
        own = values[:, index].tolist() if values is not None else None
        shown[score.name] = {
            "value": score.value,
            "per_sample": [None if math.isnan(value) else value for value in own] if own else None,
            "n": score.n,
            "missing": score.missing,
            "higher_is_better": score.higher_is_better,
            "signature": score.signature,
            "warnings": [one for one in score.warnings if "interval" not in one],
            "error": {"code": "no_value", "message": score.error} if score.error else None,
        }
    return shown
