"""A job's gate: every checkpoint is checked once, and the job ends when it asks for that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from metrics import find
from metrics.core.measure import items_of
from metrics.core.metric import Sample
from metrics.core.packing import pack
from metrics.core.result import conclude
from service.datasets import store as datasets
from service.evaluations import plans
from service.evaluations import scores as results
from service.evaluations import store as evaluations
from service.evaluations.plans import MetricRequest
from service.gates import store as gates
from service.gates.schemas import GateIn
from service.training import selection
from service.training.gating import of_checkpoints
from tests.known import known
from tests.service.training.recorded import Job

MATCH = {"name": "exact_match", "params": {}}


class NoModels:
    """What a metric without a model asks nothing of."""


def measure(engine: Engine, evaluation: str, right: int) -> None:
    """End an evaluation in which so many samples are answered right."""
    with engine.begin() as db:
        row = known(evaluations.get(db, evaluation))
        records = datasets.read_records(db, row.dataset_id)
        samples = [
            Sample.of(record | {"references": ["yes"]}, ["yes" if at < right else "no"])
            for at, record in enumerate(records)
        ]
        metric = find("exact_match").bind({})
        items, unit = items_of(samples)
        evidence = metric.measure(items, NoModels())  # type: ignore[arg-type]
        ids = [one.id for one in samples]
        result = conclude(metric, evidence, unit, ids, {"name": "exact_match"}, replicates=100)
        plans.complete(db, evaluation, 0, resolved=metric.dump(), signature={"name": "exact_match"})
        results.keep_result(db, evaluation, 0, pack(result))
        score = result.scores[0]
        row_of = {
            **{"position": 0, "name": score.name, "slice": "", "level": 0.95},
            **{"value": score.value, "low": 0.0, "high": 1.0, "n": score.n, "missing": 0},
            **{"higher_is_better": True, "interval_method": "wilson", "warnings": []},
            **{"signature": score.signature, "error": None},
        }
        results.replace_scores(db, evaluation, [row_of])
        evaluations.finish(db, evaluation, "succeeded", {})


@pytest.fixture
def gated(engine: Engine, new_job: Callable[..., Job]) -> Callable[..., Job]:
    """Makes jobs with a gate whose baseline answers everything right."""

    def make(**more: Any) -> Job:
        job = new_job(metrics=[MATCH], select_by=None, watch=[], gate="ship", **more)
        with engine.begin() as db:
            dataset = known(datasets.find(db, "held-out"))
            base = evaluations.create(
                db,
                system="base",
                dataset_id=dataset.id,
                size=dataset.size,
                metrics=[MetricRequest("exact_match", {})],
                model=None,
                generation=None,
                slices=[],
                seed=0,
                replicates=100,
                level=0.95,
            )
        measure(engine, base, right=8)
        rule: dict[str, Any] = {"score": "exact_match", "max_drop": 0.4}
        asked = {"name": "ship", "baseline": "base", "dataset": "held-out"}
        with engine.begin() as db:
            gates.put(db, GateIn.model_validate(asked | {"rules": [rule], "alpha": 0.1}))
        return job

    return make


def finish(engine: Engine, job: Job, step: int, right: int) -> None:
    (one,) = [one for one in job.checkpoints() if one.step == step]
    measure(engine, known(one.evaluation_id), right)
    selection.select(job.context, job.id)


def test_each_checkpoint_is_checked_once_and_shown(
    engine: Engine, gated: Callable[..., Job]
) -> None:
    job = gated()
    attempt = job.begin()
    for step, right in ((2, 0), (4, 8)):
        job.save(attempt, step)
        finish(engine, job, step, right)
    selection.select(job.context, job.id)
    assert job.events().count("gate") == 2
    ids = [known(one.evaluation_id) for one in job.checkpoints()]
    with engine.connect() as db:
        shown = of_checkpoints(db, job.row, ids)
    assert [shown[id]["verdict"] for id in ids] == ["no_go", "go"]
    assert job.row.control is None


@pytest.mark.parametrize(
    ("stop", "right", "ends"),
    [("passed", 8, True), ("failed", 8, False), ("failed", 0, True), ("settled", 0, True)],
)
def test_the_job_ends_when_its_gate_is_settled(
    engine: Engine, gated: Callable[..., Job], stop: str, right: int, ends: bool
) -> None:
    job = gated(stop_by_gate=stop)
    job.save(job.begin(), 2)
    finish(engine, job, 2, right)
    assert (job.row.control == "stop") == ends
    assert ("early_stop" in job.events()) == ends
