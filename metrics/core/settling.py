"""A set's evidence settled: which outputs and units could be measured, and the rows of those."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from inference.sentences import Sentence
from metrics.core.details import MESSAGES
from metrics.core.evidence import FLAG, Evidence
from metrics.core.metric import BoundMetric, Flag
from metrics.core.rows import Floats, Ints, Settled

Mask = NDArray[np.bool_]

FAILED = {code: Flag(message, missing=True) for code, message in MESSAGES.items()}


def measured(
    metric: BoundMetric, evidence: Evidence, unit: Ints
) -> tuple[Evidence, Ints, tuple[Sentence, ...]]:
    """The outputs that could be measured, their units, and sentences on what was flagged."""
    if len(evidence) != len(unit):
        raise ValueError(f"{metric.name}: evidence of {len(evidence)} outputs for {len(unit)}")
    unmeasured, noted = _flagged(metric, evidence)
    if unmeasured.any():
        kept = np.flatnonzero(~unmeasured)
        evidence, unit = evidence.take(kept), unit[kept]
    return evidence, unit, noted


def settle(
    metric: BoundMetric, evidence: Evidence, unit: Ints, units: int
) -> tuple[Settled, Mask, tuple[Sentence, ...]]:
    """Rows of all units, which of them are missing, and a sentence on those that are broken."""
    # settle counts units by the largest index: it sees those that have outputs left, numbered anew
    present, compact = np.unique(unit, return_inverse=True)
    missing: Mask = np.ones(units, np.bool_)
    missing[present] = False
    if not len(present):
        return Settled(np.zeros((units, 0))), missing, ()
    settled = metric.settle(evidence, compact.astype(np.int64))
    if len(settled.rows) != len(present):
        raise ValueError(f"{metric.name}: {len(settled.rows)} rows for {len(present)} units")
    rows, loss = settled.rows.astype(np.float64), settled.loss
    checked = rows if loss is None else np.concatenate([rows, loss], axis=1)
    noted: tuple[Sentence, ...] = ()
    broken: Mask = np.asarray(~np.isfinite(checked).all(1), np.bool_)
    if broken.any():
        rows = np.where(broken[:, None], 0.0, rows)
        loss = None if loss is None else np.where(broken[:, None], 0.0, loss)
        missing[present[broken]] = True
        lacking = int(broken.sum())
        said = _many(lacking, "unit")
        noted = (Sentence("{units}: not a finite number, left out", units=said, count=lacking),)
    settled = replace(
        settled,
        rows=_scatter(rows, present, units),
        loss=None if loss is None else _scatter(loss, present, units),
    )
    return settled, missing, noted


def unvoted(metric: BoundMetric, evidence: Evidence, unit: Ints, units: int) -> Mask | None:
    """(units,) which have outputs, none of which anybody was to judge; None where the metric leaves
    nothing out by design."""
    codes = [code for code, flag in metric.flags.items() if flag.by_design]
    if not codes or FLAG not in evidence:
        return None
    every = np.bincount(unit, minlength=units)
    left_out = np.bincount(unit[np.isin(evidence[FLAG], codes)], minlength=units)
    return np.asarray((every > 0) & (left_out == every), np.bool_)


def _flagged(metric: BoundMetric, evidence: Evidence) -> tuple[Mask, tuple[Sentence, ...]]:
    """(n_items,) which outputs could not be measured, and each flag's message with its count."""
    if FLAG not in evidence:
        return np.zeros(len(evidence), np.bool_), ()
    codes = evidence[FLAG].astype(np.int64)
    unmeasured = np.zeros(len(evidence), np.bool_)
    noted = []
    for code, count in zip(*np.unique(codes[codes != 0], return_counts=True), strict=True):
        flag = FAILED.get(int(code)) or metric.flags.get(int(code))
        if flag is None:
            raise ValueError(f"{metric.name}: flag {code} is not declared")
        noted.append(
            Sentence(
                "{count} of {outputs}: {flag}",
                count=count,
                outputs=_many(len(codes), "output"),
                total=len(codes),
                flag=Sentence.plain(flag.message),
            )
        )
        if flag.missing:
            unmeasured |= codes == code
    return unmeasured, tuple(noted)


def restrict(evidence: Evidence, unit: Ints, chosen: Ints) -> tuple[Evidence, Ints]:
    """The outputs of the `chosen` units (distinct indices), the units renumbered in that order.

    A slice is concluded like a set: what depends on the set (idf, clusters) is settled again.
    """
    place = np.full(max(int(unit.max(initial=-1)), int(chosen.max(initial=-1))) + 1, -1, np.int64)
    place[chosen] = np.arange(len(chosen))
    moved = place[unit]
    items = np.flatnonzero(moved >= 0)
    items = items[np.argsort(moved[items], kind="stable")]
    return evidence.take(items), moved[items]


def _scatter(rows: Floats, present: Ints, units: int) -> Floats:
    """(units, C) the rows of the units that are `present`, zeros elsewhere."""
    if len(present) == units:
        return rows
    full = np.zeros((units, rows.shape[1]), np.float64)
    full[present] = rows
    return full


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
