"""The loss of held-out rows: the objective over the whole set, and no trace in the training."""

from __future__ import annotations

import math
from itertools import cycle
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.rounding import assert_same
from tests.service.training.requests import CONVERSATIONS, PREFERENCES
from tests.trainers.job.attempts import attempt, here
from trainers.job.errors import TrainingError
from trainers.job.reports import by_step
from trainers.job.spec import HELD_OUT, Spec, Validation

LABELLED = [
    {"prompt": pair["prompt"], "completion": pair[side], "label": side == "chosen"}
    for pair, side in zip(PREFERENCES, cycle(["chosen", "chosen", "rejected"]), strict=False)
]
RECORDS: dict[str, list[Any]] = {
    **{"sft": CONVERSATIONS, "dpo": PREFERENCES, "reward": PREFERENCES, "kto": LABELLED}
}
TRAINED, HELD = slice(0, 32, 4), slice(1, 32, 7)  # 8 and 5 rows, of different lengths
OPTIONS = {"max_steps": 3, "save_steps": 2, "batch_size": 2, "learning_rate": 1e-3}


def validated(spec: Spec, records: list[Any], steps: int | None = None) -> Spec:
    path = spec.data.parent / HELD_OUT
    path.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
    spec = spec.model_copy(update={"validation": Validation(data=path, steps=steps)})
    spec.write()
    return spec


def curve(spec: Spec, name: str) -> dict[int, float]:
    found = by_step(here(spec))
    return {step: values[name] for step, values in found.items() if name in values}


@pytest.mark.parametrize("method", ["sft", "dpo", "reward", "kto"])
def test_it_is_the_objective_over_the_set(
    tiny_language_model: Path, tmp_path: Path, method: str
) -> None:
    """Before any step it is the loss of a step over the same rows in one batch."""
    trained, held = RECORDS[method][TRAINED], RECORDS[method][HELD]
    whole = {"max_steps": 1, "batch_size": len(held)}
    one = attempt(tmp_path / "whole", method, tiny_language_model, held, whole)
    expected = curve(one, "loss")[1]

    plain = attempt(tmp_path / "plain", method, tiny_language_model, trained, OPTIONS)
    watched = attempt(tmp_path / "watched", method, tiny_language_model, trained, OPTIONS)
    reports = here(validated(watched, held))
    found = by_step(reports)
    losses = {step: each["validation/loss"] for step, each in found.items() if step in {0, 2, 3}}
    assert "validation/loss" not in found[1]
    assert_same([losses[0]], [expected])
    assert losses[3] != losses[0]
    if method == "dpo":
        assert losses[0] == pytest.approx(math.log(2))
    if method in {"dpo", "reward"}:
        assert 0 <= found[3]["validation/accuracy"] <= 1
    assert curve(plain, "loss") == {step: found[step]["loss"] for step in (1, 2, 3)}
    lengths = next(one for one in reports if one.name == "validation_lengths")
    assert lengths.data["rows"] in {5, 10}


def test_it_is_measured_when_asked(tiny_language_model: Path, tmp_path: Path) -> None:
    options = OPTIONS | {"max_steps": 5, "save_steps": 4}
    spec = attempt(tmp_path / "job", "sft", tiny_language_model, CONVERSATIONS[TRAINED], options)
    assert list(curve(validated(spec, CONVERSATIONS[HELD], 2), "validation/loss")) == [0, 2, 4, 5]


def test_a_wrong_row_is_named(tiny_language_model: Path, tmp_path: Path) -> None:
    spec = attempt(tmp_path / "job", "sft", tiny_language_model, CONVERSATIONS[TRAINED], OPTIONS)
    with pytest.raises(TrainingError, match="of the validation set") as error:
        here(validated(spec, [CONVERSATIONS[0], {"text": "long " * 500}]))
    assert (error.value.code, error.value.field) == ("too_long", "validation.records[1].text")
