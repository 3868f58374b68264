"""A run that goes on with another number of processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.rounding import TRAINED
from tests.trainers.job.attempts import attempt, finish, here, losses, saved
from tests.trainers.learning.test_sharding import OPTIONS, SFT


@pytest.mark.slow
def test_with_two_processes_it_learns_what_one_would(
    tiny_language_model: Path, tmp_path: Path
) -> None:
    """And with one again: as many samples a step, so that nothing is seen twice or left out."""
    one: dict[str, Any] = OPTIONS | {"batch_size": 2, "gradient_accumulation_steps": 2}
    two = one | {"gradient_accumulation_steps": 1}
    job = tmp_path / "job"
    alone = here(attempt(job, "sft", tiny_language_model, SFT, one))
    half = saved(alone)[2]
    spec = attempt(job, "sft", tiny_language_model, SFT, two, 2, processes=2, resume=half)
    both = finish(spec)
    (told,) = [report.data for report in both if report.name == "resized"]
    assert told == {"before": 1, "processes": 2}
    rest = {step: losses(alone)[step] for step in (3, 4)}
    assert losses(both) == pytest.approx(rest, rel=TRAINED)
    longer = one | {"max_steps": 5}
    last = attempt(job, "sft", tiny_language_model, SFT, longer, 3, resume=saved(both)[4])
    whole = attempt(tmp_path / "whole", "sft", tiny_language_model, SFT, longer)
    assert losses(here(last))[5] == pytest.approx(losses(here(whole))[5], rel=TRAINED)
