"""The evaluations of a training job: what they ask of the models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, update

from inference.protocols.declaration import Protocol, digest
from service.db.tables import training_jobs
from service.errors import ApiError
from service.evaluations import store as evaluations
from service.training import admission
from service.training import store as training
from service.training.held_out import score_start
from service.training.schemas import TrainingIn
from tests.service.training.recorded import Job
from trainers import find

KEY = "chat_template_kwargs"


@pytest.mark.parametrize(
    ("variables", "generation", "expected"),
    [
        ({}, {"seed": 1}, {"seed": 1}),  # as before there were any
        ({"thinking": False}, {"seed": 1}, {"seed": 1, KEY: {"thinking": False}}),
        (
            {"thinking": False, "tone": "dry"},
            {"chat": None, KEY: {"thinking": True}},
            {"chat": None, KEY: {"thinking": True, "tone": "dry"}},
        ),
        ({"thinking": False}, {"chat": False}, {"chat": False}),  # no template, nothing to set
    ],
)
def test_the_start_is_asked_as_its_checkpoints_are(
    new_job: Callable[..., Job],
    variables: dict[str, Any],
    generation: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    job = new_job(generation=generation)
    with job.context.engine.begin() as db:
        _set_options(db, job.id, {"max_steps": 8, KEY: variables})
        row = training.get(db, job.id)
        assert row is not None
        start = score_start(db, job.context.settings, row)
        assert start is not None
        made = evaluations.get(db, start)
    assert made is not None
    assert made.generation == expected


def test_checkpoints_are_asked_by_a_protocol(new_job: Callable[..., Job]) -> None:
    job, protocol = new_job(), {"template": "{{ prompt }} Be short.", "answer": "last_number"}
    asked = {"dataset": "held-out", "metrics": ["exact_match"], "protocol": protocol}
    given = {"method": "sft", "model": "tiny-language", "dataset": "held-out"}
    with job.context.engine.begin() as db:
        body = TrainingIn.model_validate(given | {"evaluation": asked})
        stored = admission._held_out(db, body, job.context.settings, find("sft"))
        assert stored is not None
        change = update(training_jobs).where(training_jobs.c.id == job.id)
        db.execute(change.values(evaluation=stored))
        row = training.get(db, job.id)
        assert row is not None
        start = score_start(db, job.context.settings, row)
        assert start is not None
        made = evaluations.get(db, start)
        assert made is not None
        assert made.protocol == Protocol.model_validate(protocol).model_dump(mode="json")
        assert made.protocol_digest == digest(Protocol.model_validate(protocol))
        asked["protocol"] = {"template": "{{ nothing_there }}"}
        body = TrainingIn.model_validate(given | {"evaluation": asked})
        with pytest.raises(ApiError) as raised:
            admission._held_out(db, body, job.context.settings, find("sft"))
    assert (raised.value.code, raised.value.param) == (
        "invalid_protocol",
        "evaluation.protocol.template",
    )


def _set_options(db: Connection, job: str, options: dict[str, Any]) -> None:
    db.execute(update(training_jobs).where(training_jobs.c.id == job).values(options=options))
