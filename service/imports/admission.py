"""What `POST /v1/imports` stores: a dataset, an evaluation, its outputs and evidence. A worker
closes it as one that was measured here."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from sqlalchemy import Connection

from inference.protocol import NoModels
from metrics.community import imported
from metrics.core.metric import BoundMetric
from metrics.core.metric import Score as Yielded
from metrics.core.names import hint
from metrics.core.rows import Floats
from metrics.core.signature import parts, text
from service.datasets import store as datasets
from service.errors import invalid
from service.evaluations import outputs, plans, shards
from service.evaluations import scores as results
from service.evaluations import store as evaluations
from service.evaluations.plans import MetricRequest
from service.http.fields import LONGEST_NAME, name_fault
from service.imports import runs
from service.imports import store as imports
from service.imports.runs import Reported, Run
from service.jobs import queue
from service.settings import Settings

REPORTED = "reported, not recomputed: the file has no values of samples, so nothing tests it"
CLOSING_PRIORITY = 1


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a request says of the runs in its file.

    scores  those to import; none: all
    lower   those of which less is better, whatever the file says
    """

    system: str | None
    dataset: str | None
    scores: Collection[str]
    lower: Collection[str]
    slices: Sequence[str]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run, ready to be stored."""

    run: Run
    system: str
    dataset: str
    metrics: list[BoundMetric]  # of the scores with rows, then of those that are only reported
    values: list[Floats]  # of outputs, for the former


def prepared(found: Sequence[Run], chosen: Chosen) -> list[Prepared]:
    """The runs as the request has them. Raises 422 where one lacks a name, or has not what was
    chosen."""
    known = {label for run in found for label in run.scores}
    for field in ("scores", "lower"):
        for at, label in enumerate(getattr(chosen, field)):
            if label not in known:
                name = "lower_is_better" if field == "lower" else field
                message = f"the file has no score {label!r}; {hint(label, known)}"
                raise invalid("unknown_score", message, f"{name}[{at}]")
    for run in found:
        if chosen.scores:
            run.scores = {one: run.scores[one] for one in run.scores if one in chosen.scores}
            for sample in run.samples:
                sample.values = {k: v for k, v in sample.values.items() if k in run.scores}
    return [_prepared(run, chosen) for run in runs.checked(found)]


def _prepared(run: Run, chosen: Chosen) -> Prepared:
    system = chosen.system or run.system
    if system is None:
        message = f"the file does not say which system {run.task} was run with: give `system`"
        raise invalid("missing_system", message, "system")
    dataset = chosen.dataset or f"{run.harness}/{run.task}"
    fault = name_fault(dataset) or ("is too long" if len(dataset) > LONGEST_NAME else None)
    if fault is not None:
        message = f"the dataset's name {dataset[:100]!r} {fault}: give `dataset`"
        raise invalid("reserved_name", message, "dataset")
    labels = [*run.measured(), *run.only_reported()]
    metrics = [_bound(run, label, label in chosen.lower) for label in labels]
    values = [_values(run, label) for label in run.measured()]
    for key in chosen.slices:
        if run.samples and not any(key in sample.metadata for sample in run.samples):
            fields = dict.fromkeys(name for one in run.samples for name in one.metadata)
            message = f"no sample has {key!r} in its metadata; {hint(key, fields)}"
            raise invalid("unknown_slice", message, "slices")
    return Prepared(run, system, dataset, metrics, values)


def _bound(run: Run, label: str, lower: bool) -> BoundMetric:
    score = run.scores[label]
    low, high = _range(run, score)
    name = runs.name(imported.PREFIX + label, run.task, "score")
    return imported.declare(name).bind(
        {
            "harness": run.harness,
            "harness_version": run.version,
            "task": run.task,
            "task_version": run.task_version,
            "filter": score.filter,
            "higher_is_better": score.higher_is_better and not lower,
            "low": low,
            "high": high,
        }
    )


def _range(run: Run, score: runs.Score) -> tuple[float | None, float | None]:
    """The range that the file declares, unless a value lies outside."""
    low = -math.inf if score.low is None else score.low
    high = math.inf if score.high is None else score.high
    there = [one for sample in run.samples for one in sample.values.get(score.label, ())]
    outside = sum(value < low or value > high for value in there)
    if outside or low > high:
        run.warnings.append(f"{score.label}: {outside} values are outside of [{low:g}, {high:g}]")
        return None, None
    return score.low, score.high


def _values(run: Run, label: str) -> Floats:
    """(n_items,) the values of all outputs, sample by sample; one value stands for all outputs."""
    found: list[float] = []
    for sample in run.samples:
        values = sample.values.get(label, [np.nan])
        found += values * len(sample.outputs) if len(values) == 1 else values
    return np.array(found, np.float64)


def store_all(
    db: Connection,
    ready: Sequence[Prepared],
    settings: Settings,
    chosen: Chosen,
    about: dict[str, Any],
    mapping: Mapping[str, str] | None,
) -> tuple[list[str], bool]:
    """Store the runs of a file and defer their closing; returns their evaluations' ids, and whether
    one was made now. What was imported before in the same way is not made again.

    about    of the file: its name, digest and format
    mapping  what a table's columns are taken for
    """
    imports.lock(db, about["digest"])
    ids, made = [], False
    for place, one in enumerate(ready):
        asked = about | {"mapping": mapping, "place": place, "slices": list(chosen.slices)}
        digest = _digest(one, settings, asked)
        known = imports.find(db, digest)
        made = made or known is None
        ids.append(known or _store(db, one, settings, chosen, about | {imports.DIGEST: digest}))
    return ids, made


def _digest(one: Prepared, settings: Settings, asked: Mapping[str, Any]) -> str:
    """Of all that decides what is stored of a run; the file's name does not."""
    told = {name: asked[name] for name in ("digest", "format", "mapping", "place", "slices")}
    told |= {
        "system": one.system,
        "dataset": one.dataset,
        "metrics": [[metric.name, metric.dump()] for metric in one.metrics],
        "replicates": settings.replicates,
        "level": settings.level,
    }
    content = orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _store(
    db: Connection, one: Prepared, settings: Settings, chosen: Chosen, about: dict[str, Any]
) -> str:
    run = one.run
    dataset, size = _dataset(db, one)
    origin = about | {
        "harness": run.harness,
        "version": run.version,
        "task": run.task,
        "task_version": run.task_version,
        "warnings": run.warnings,
        "details": runs.plain(run.origin),
    }
    id = evaluations.create(
        db,
        system=one.system,
        dataset_id=dataset,
        size=size,
        metrics=[MetricRequest(metric.name, metric.dump()) for metric in one.metrics],
        model=None,
        generation=None,
        slices=chosen.slices if run.samples else (),
        seed=0,
        replicates=settings.replicates,
        level=settings.level,
        origin=origin,
    )
    if run.samples:
        outputs.add(db, id, ((at, each.outputs) for at, each in enumerate(run.samples)))
        shards.create(db, id, size, size)
        shards.finish(db, id, 0, size * len(one.metrics))
    _metrics(db, id, one, settings)
    evaluations.start(db, id, {"imported": True, "samples": size})
    evaluations.begin_closing(db, id)
    queue.defer(db, "evaluate.close", priority=CLOSING_PRIORITY, evaluation=id)
    return id


def _metrics(db: Connection, id: str, one: Prepared, settings: Settings) -> None:
    """Plans with the evidence that the file has; of the others, the scores that it reports."""
    reported: list[dict[str, Any]] = []
    for position, metric in enumerate(one.metrics):
        signature = parts(metric, NoModels())
        plans.complete(db, id, position, resolved=metric.dump(), signature=signature)
        if position < len(one.values):
            evidence = imported.evidence(one.values[position]).encode()
            shards.keep(db, id, position, 0, evidence=evidence)
        else:
            plans.mark_reported(db, id, position)
            (score,) = metric.scores
            shown = text(signature, score)
            reported.append(_row(position, score, one.run.reported[score.name], shown, settings))
    results.replace_scores(db, id, reported)


def _dataset(db: Connection, one: Prepared) -> tuple[str, int]:
    """The dataset's id and size: a version with the samples, or the latest where there are none."""
    if not one.run.samples:
        latest = datasets.find(db, one.dataset)
        if latest is not None:
            return latest.id, 0
    records = [sample.record() for sample in one.run.samples]
    dataset, _ = datasets.put(db, one.dataset, "eval", records, "dataset")
    return dataset.id, dataset.size


def _row(
    position: int, score: Yielded, found: Reported, signature: str, settings: Settings
) -> dict[str, Any]:
    """A score that the file reports, as it is stored."""
    low, high = found.interval or (None, None)
    return {
        "position": position,
        "name": score.name,
        "slice": "",
        "value": found.value,
        "low": low,
        "high": high,
        "level": found.level or settings.level,
        "n": found.n,
        "missing": 0,
        "higher_is_better": score.higher_is_better,
        "interval_method": "reported",
        "signature": signature,
        "warnings": [REPORTED, *([found.warning] if found.warning else [])],
        "error": None,
    }
