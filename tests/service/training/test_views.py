"""The curve of a training job: read at once, whatever the number of checkpoints."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from service.evaluations import store as evaluations
from service.training.views import curve
from tests.known import known
from tests.service.stored import statements, succeed
from tests.service.training.recorded import Job
from tests.service.training.requests import PROMPTS

METRICS = ("chrf", "length", "token_f1", "exact_match")


def test_a_curve_is_read_at_once(new_job: Any) -> None:
    job: Job = new_job(metrics=[{"name": name, "params": {}} for name in METRICS])
    attempt = job.begin()
    engine, settings = job.context.engine, job.context.settings
    seen = []
    for steps in (range(1, 3), range(3, 13)):
        for step in steps:
            job.save(attempt, step)
        with engine.begin() as db:
            places = {known(one.evaluation_id): one.step for one in job.checkpoints()}
            for evaluation, step in (places | {known(job.row.start_evaluation): 0}).items():
                if evaluations.status(db, evaluation) == "queued":
                    succeed(db, evaluation, PROMPTS[:8], METRICS, 2 + step)
        seen.append(statements(engine, partial(curve, settings=settings, job=job.row)))
    (few, short), (many, long) = seen
    assert (len(short), len(long)) == (3, 13)
    assert few == many <= 8
    last = {one.name: one for one in long[-1].scores}
    assert set(last) == set(METRICS)
    start = {one.name: one for one in long[0].scores}
    gained = known(last["chrf"].value) - known(start["chrf"].value)
    assert known(last["chrf"].difference) == pytest.approx(gained)
    assert gained > 0
    assert known(last["chrf"].p_value) < 0.05
    assert np.isfinite(known(last["length"].difference_interval)).all()
