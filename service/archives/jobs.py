"""archive.audit: a part of an evaluation's samples measured again, as a worker measured them."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sqlalchemy.exc import SQLAlchemyError

from inference.errors import Cancelled, ReportedError
from metrics.core.evidence import Evidence
from metrics.core.measure import items_of, measure
from metrics.core.metric import BoundMetric, Sample
from metrics.core.packing import unpack
from metrics.core.remeasure import Remeasured, draw, rate, remeasure, tolerance
from metrics.core.result import conclude
from metrics.core.rows import Floats, Ints
from metrics.core.signature import difference, parts, text
from service import faults
from service.datasets import store as datasets
from service.db import worker_requests
from service.evaluations import opponents, outputs, plans, shards
from service.evaluations import scores as results
from service.evaluations import store as evaluations
from service.evaluations.plans import Plan
from service.evaluations.progress import EVERY_SECONDS
from service.evaluations.store import Evaluation
from service.jobs.context import Context

log = logging.getLogger(__name__)

MOST_SHOWN = 100  # samples that differ, listed
LEVEL = 0.95
NOT_KEPT = "its evidence is dropped once it is concluded, and it runs a model"


def audit(context: Context, request: str) -> None:
    """Measure what is asked for, and answer; stops when nobody waits any more."""
    with context.engine.connect() as db:
        asked = worker_requests.read(db, request)
        row = evaluations.get(db, asked["evaluation"]) if asked is not None else None
        if asked is None or row is None:
            return
        planned = plans.read(db, row.id)
        records = datasets.read_records(db, row.dataset_id)
        texts = outputs.read(db, row.id)
        details = outputs.read_details(db, row.id)
    samples = [
        replace(Sample.of(record, texts.get(at, ())), details=details.get(at, ()))
        for at, record in enumerate(records)
    ]
    chosen = draw(len(samples), asked["fraction"], asked["seed"])
    auditing = _Audit(context, row, samples, chosen, _watch(context, request))
    try:
        for one in planned:
            auditing.metric(one)
    except Cancelled:
        return
    with context.engine.begin() as db:
        worker_requests.answer(db, request, auditing.report(asked))


def audit_failed(context: Context, request: str, reason: str) -> None:
    """Tell the one who waits."""
    with context.engine.begin() as db:
        worker_requests.refuse(db, request, "audit_failed", reason)


class _Audit:
    """Collects what the report tells."""

    def __init__(
        self,
        context: Context,
        row: Evaluation,
        samples: Sequence[Sample],
        chosen: Ints,
        watch: Callable[[int], None],
    ) -> None:
        self.context = context
        self.row = row
        self.samples = samples
        self.chosen = chosen
        self.watch = watch
        self.metrics: list[dict[str, Any]] = []
        self.mismatched: list[dict[str, Any]] = []
        self.checked: set[int] = set()
        self.unlike: set[int] = set()

    def metric(self, one: Plan) -> None:
        """One metric's part; what cannot be measured here is skipped, with the reason."""
        shown: dict[str, Any] = {"metric": one.name}
        self.metrics.append(shown)
        if not one.concluded:
            shown["skipped"] = "it has no result"
            return
        try:
            self._audit(one, shown)
        except ReportedError as error:
            if isinstance(error, Cancelled) or faults.is_outside(error):
                raise
            shown["skipped"] = error.message
        except Exception as error:  # whatever it is, the other metrics can be told of
            if isinstance(error, SQLAlchemyError) or faults.is_outside(error):
                raise
            log.exception("%s cannot be measured again", one.name)
            shown["skipped"] = f"an internal error stopped it ({type(error).__name__})"

    def _audit(self, one: Plan, shown: dict[str, Any]) -> None:
        """Measures, and notes in `shown` what came out."""
        metric = one.bound(self.context.settings.metric_roots)
        stored, own = one.signature or {}, parts(metric, self.context.models)
        shown["differs"] = difference(text(stored), text(own)) if stored else []
        if any(stored.get(name) != own[name] for name in own if name.startswith("weights")):
            raise ReportedError("the model of that name has other weights here")
        self._note(shown, metric, self._again(metric, one))

    def report(self, asked: Any) -> dict[str, Any]:
        """The answer, as JSON."""
        checked, unlike, size = len(self.checked), len(self.unlike), len(self.samples)
        return {
            "evaluation": self.row.id,
            "fraction": asked["fraction"],
            "seed": asked["seed"],
            "samples": len(self.chosen),
            "of": size,
            "mismatches": unlike,
            "rate": unlike / checked if checked else None,
            "interval": rate(unlike, checked, size, LEVEL),
            "level": LEVEL,
            "metrics": self.metrics,
            "mismatched": self.mismatched[:MOST_SHOWN],
        }

    def _again(self, metric: BoundMetric, one: Plan) -> Remeasured:
        models = self.context.models
        with self.context.engine.connect() as db:
            measured = shards.read(db, self.row.id, one.position)
            samples = opponents.opposed(db, metric, self.samples)
        if measured:
            evidence = shards.joined(measured)
            return remeasure(metric, samples, evidence, self.chosen, models, self.watch)
        if metric.models:
            raise ReportedError(NOT_KEPT)
        items, unit = items_of(samples)
        return self._by_rows(metric, one, measure(metric, items, models, None, self.watch), unit)

    def _by_rows(
        self, metric: BoundMetric, one: Plan, evidence: Evidence, unit: Ints
    ) -> Remeasured:
        """Where no evidence was kept, all is measured, and the rows of the chosen compared."""
        ids = [sample.id for sample in self.samples]
        place = (self.row.id, one.position)
        with self.context.engine.connect() as db:
            stored = unpack(results.read_results(db, [place])[place])
        again = conclude(
            metric, evidence, unit, ids, one.signature or {"name": one.name}, replicates=1
        )
        before, after = (made.settled.rows[self.chosen] for made in (stored, again))
        if before.shape != after.shape:
            raise ReportedError("its rows are of another form here")
        gaps = np.abs(before - after)
        wrong = gaps.any(1) | (stored.missing[self.chosen] != again.missing[self.chosen])
        largest = float(gaps.max(initial=0.0))
        return Remeasured(self.chosen, self.chosen[wrong], 0, largest, None, None)

    def _note(self, shown: dict[str, Any], metric: BoundMetric, found: Remeasured) -> None:
        checked, unlike, size = len(found.checked), len(found.unlike), len(self.samples)
        self.checked |= set(found.checked.tolist())
        self.unlike |= set(found.unlike.tolist())
        shown |= {
            "checked": checked,
            "mismatches": unlike,
            "rate": unlike / checked if checked else None,
            "interval": rate(unlike, checked, size, LEVEL),
            "unstable": found.unstable,
            "tolerance": tolerance(metric),
            "largest_difference": found.largest if math.isfinite(found.largest) else None,
        }
        places = {index: at for at, index in enumerate(found.checked.tolist())}
        for index in found.unlike[:MOST_SHOWN].tolist():
            mismatch: dict[str, Any] = {"metric": metric.name, "sample": self.samples[index].id}
            for name, values in (("stored", found.stored), ("measured", found.fresh)):
                mismatch[name] = _values(metric, values, places[index])
            self.mismatched.append(mismatch)


def _values(metric: BoundMetric, values: Floats | None, at: int) -> dict[str, float | None]:
    if values is None:
        return {}
    own = (value if math.isfinite(value) else None for value in values[at].tolist())
    return dict(zip(metric.score_names, own, strict=True))


def _watch(context: Context, request: str) -> Callable[[int], None]:
    """To call between batches: raises Cancelled when nobody waits for the answer any more."""
    looked = time.monotonic()

    def look(_: int) -> None:
        nonlocal looked
        context.advance()
        if time.monotonic() - looked < EVERY_SECONDS:
            return
        with context.engine.connect() as db:
            wanted = worker_requests.wanted(db, [request])
        if not wanted:
            raise Cancelled("nobody waits for this audit any more")
        looked = time.monotonic()

    return look
