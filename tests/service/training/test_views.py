"""The curve of a training job: read at once, whatever the number of checkpoints."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, event

from inference.protocol import NoModels
from metrics import find
from metrics.core.metric import Sample
from metrics.core.packing import pack
from metrics.core.run import score as score_samples
from service.evaluations import scores as results
from service.evaluations import store as evaluations
from service.training.views import curve
from tests.service.training.recorded import Job
from tests.service.training.requests import PROMPTS

METRICS = ("chrf", "length", "token_f1", "exact_match")


def score(db: Connection, evaluation: str, words: int) -> None:
    """The evaluation succeeds; its outputs are the first words of the references."""
    samples = [
        Sample.of(one, [" ".join(one["references"][0].split()[:words])], str(at + 1))
        for at, one in enumerate(PROMPTS[:8])
    ]
    rows: list[dict[str, Any]] = []
    for position, name in enumerate(METRICS):
        (result,) = score_samples(samples, [find(name).bind()], NoModels(), replicates=100)
        results.keep_result(db, evaluation, position, pack(result))
        (value,) = result.scores
        low, high = value.interval or (None, None)
        rows.append(
            {
                **{"position": position, "name": value.name, "slice": "", "value": value.value},
                **{"low": low, "high": high, "level": value.level, "n": value.n},
                **{"missing": value.missing, "higher_is_better": value.higher_is_better},
                **{"interval_method": value.interval_method, "signature": value.signature},
                **{"warnings": [], "error": None},
            }
        )
    results.replace_scores(db, evaluation, rows)
    evaluations.lock(db, evaluation)
    evaluations.finish(db, evaluation, "succeeded", {})


def statements(job: Job) -> tuple[int, list[Any]]:
    """How many statements the curve takes, and the curve."""
    counted: list[str] = []

    def count(*args: Any) -> None:
        counted.append(args[2])

    engine = job.context.engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        row = job.row
        counted.clear()
        with engine.connect() as db:
            shown = curve(db, job.context.settings, row)
    finally:
        event.remove(engine, "before_cursor_execute", count)
    return len(counted), shown


def test_a_curve_is_read_at_once(new_job: Any) -> None:
    job: Job = new_job(metrics=[{"name": name, "params": {}} for name in METRICS])
    attempt = job.begin()
    seen = []
    for steps in (range(1, 3), range(3, 13)):
        for step in steps:
            job.save(attempt, step)
        with job.context.engine.begin() as db:
            places = {one.evaluation_id: one.step for one in job.checkpoints()}
            places[job.row.start_evaluation] = 0
            for evaluation, step in places.items():
                assert evaluation is not None
                if evaluations.status(db, evaluation) == "queued":
                    score(db, evaluation, 2 + step)
        seen.append(statements(job))
    (few, short), (many, long) = seen
    assert (len(short), len(long)) == (3, 13)
    assert few == many <= 8
    last = {one.name: one for one in long[-1].scores}
    assert set(last) == set(METRICS)
    assert last["chrf"].difference > 0
    assert last["chrf"].p_value < 0.05
    start = {one.name: one for one in long[0].scores}
    assert last["chrf"].difference == pytest.approx(last["chrf"].value - start["chrf"].value)
    assert np.isfinite(last["length"].difference_interval).all()
