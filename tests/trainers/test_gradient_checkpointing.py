"""Layers that are computed again: the same losses, less memory, whatever the method.

How much less is what the estimate says that layers keep (`trainers.job.memory`), as far as it is
known to be near: the head, which weighs more than such a model, is in both peaks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import trainers
from benchmarks.allocations import Allocations
from tests.rounding import TRAINED
from tests.tiny_models import build_language_model
from tests.trainers.job.attempts import attempt, here, losses
from tests.trainers.records import METHODS, REWARDED, records
from trainers.job.fsdp import Fsdp, refusal
from trainers.job.memory import estimate, shape_of

LORA = {"sft": True, "ppo": True}  # the others train all weights
OPTIONS: dict[str, Any] = {"max_steps": 2, "batch_size": 4, "max_length": 128, "truncate": True}
OPTIONS |= {"learning_rate": 1e-3, "schedule": "constant"}


@pytest.fixture(scope="module")
def deep_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of more layers than one, each of which keeps more than its input."""
    folder: Path = tmp_path_factory.mktemp("models") / "deep"
    return build_language_model(folder, num_hidden_layers=4)


@pytest.mark.parametrize("method", METHODS)
def test_layers_computed_again_learn_the_same_with_less(
    method: str, deep_model: Path, tmp_path: Path
) -> None:
    options = OPTIONS | REWARDED.get(method, {}) | {"lora": LORA.get(method, False)}
    if method in REWARDED:
        options |= {"max_completion_length": 8, "max_length": 136}
    curves, peaks = [], []
    for again in (False, True):
        spec = attempt(
            tmp_path / f"job_{again}",
            method,
            deep_model,
            records(method, prompt=2000),
            options | {"gradient_checkpointing": again},
        )
        with Allocations() as allocated:
            curves.append(losses(here(spec)))
        peaks.append(allocated.peak)
    assert list(curves[0]) == [1, 2]
    assert curves[1] == pytest.approx(curves[0], rel=TRAINED, abs=TRAINED)
    said = [kept(method, deep_model, options, again) for again in (False, True)]
    less = (peaks[0] - peaks[1]) / (said[0] - said[1])
    assert less > 0.75, (peaks, said)


def kept(method: str, model: Path, options: dict[str, Any], again: bool) -> int:
    """Bytes of activations, by the estimate."""
    trainer = trainers.find(method)
    parsed = trainers.parse(trainer, options | {"gradient_checkpointing": again})
    return estimate(trainer, parsed, shape_of(model)).parts["activations"]


def test_sharded_layers_have_a_setting_of_their_own() -> None:
    sft = trainers.find("sft")
    told = refusal(sft, trainers.parse(sft, {"gradient_checkpointing": True}), 2, Fsdp())
    assert told is not None
    assert told[0] == "options.gradient_checkpointing"
