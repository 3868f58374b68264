"""Resumption with another number of processes: what changes with it, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from service.errors import ApiError
from service.training import store as training
from service.training.resizing import resize
from tests.service.training.recorded import Job


@pytest.fixture
def of_four(new_job: Callable[..., Job]) -> Callable[..., Job]:
    """A job of four processes that is stopped."""

    def make(method: str = "sft", fsdp: Any = None, **options: Any) -> Job:
        job = new_job()
        resources = {"processes": 4, "fsdp": fsdp}
        with job.context.engine.begin() as db:
            training.change(db, job.id, method=method, options=options, resources=resources)
        return job

    return make


def resized(job: Job, processes: int | None) -> tuple[Any, Any]:
    with job.context.engine.begin() as db:
        resize(db, job.row, processes)
    return job.row.processes, job.row.options.get("gradient_accumulation_steps")


def test_a_step_learns_from_as_many_samples(of_four: Callable[..., Job]) -> None:
    job = of_four(gradient_accumulation_steps=3)
    assert resized(job, None) == resized(job, 4) == (4, 3)
    assert resized(job, 2) == (2, 6)
    assert resized(job, 1) == (1, 12)
    assert resized(job, 6) == (6, 2)
    assert job.events().count("resized") == 3


@pytest.mark.parametrize(
    ("method", "fsdp", "options", "processes", "reason"),
    [
        ("sft", None, {}, 3, "cannot share the 4 passes"),
        ("sft", {}, {}, 1, "nobody to share weights with"),
        ("ppo", None, {"rewards": [{"metric": "length"}]}, 2, "goes on with 4 processes alone"),
        (
            "grpo",
            None,
            {
                "rewards": [{"metric": "length"}],
                "gradient_accumulation_steps": 2,
                "batch_size": 3,
                "num_generations": 6,
            },
            8,
            r"num_generations \(6\) must divide",
        ),
    ],
)
def test_what_could_not_go_on_as_it_was_is_refused(
    of_four: Callable[..., Job], method: str, fsdp: Any, options: Any, processes: int, reason: str
) -> None:
    job = of_four(method, fsdp, **options)
    before = job.row
    with pytest.raises(ApiError, match=reason) as error:
        resized(job, processes)
    assert (error.value.status, error.value.code) == (422, "unsupported")
    assert job.row == before
