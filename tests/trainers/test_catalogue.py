"""What is true of every trainer, whichever there are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import trainers
from inference.errors import InputError
from tests.trainers.job.attempts import attempt, here
from trainers.job.declaration import AnyTrainer
from trainers.job.fsdp import Fsdp
from trainers.job.options import RewardedOptions

ALL = list(trainers.catalogue().values())


@pytest.mark.parametrize("trainer", ALL, ids=lambda trainer: trainer.name)
def test_every_option_says_what_it_means(trainer: AnyTrainer) -> None:
    """Meaning and unit stand in the JSON Schema, of nested settings too."""
    schema = trainer.options.model_json_schema()
    models = {trainer.name: schema, **schema.get("$defs", {}), "Fsdp": Fsdp.model_json_schema()}
    silent = [
        f"{model}.{name}"
        for model, described in models.items()
        for name, option in described["properties"].items()
        if not option.get("description")
    ]
    assert silent == []


@pytest.mark.parametrize("trainer", ALL, ids=lambda trainer: trainer.name)
def test_its_file_says_what_is_minimised(trainer: AnyTrainer) -> None:
    conventions = sys.modules[trainer.train.__module__].__doc__ or ""
    assert "=" in conventions
    assert "arXiv" in conventions
    assert trainer.kind in trainer.kinds


@pytest.mark.parametrize("trainer", ALL, ids=lambda trainer: trainer.name)
def test_its_learning_rate_is_of_what_is_trained(trainer: AnyTrainer) -> None:
    """Adapters are few and begin at nothing: they take ten times the rate, of PPO forty times
    (docs/decisions/0008). Jobs show a number."""
    given = (
        {"rewards": [{"metric": "length"}]} if issubclass(trainer.options, RewardedOptions) else {}
    )
    full, lora, tuned, null = (
        trainers.parse(trainer, given | options).learning_rate
        for options in ({}, {"lora": {"r": 4}}, {"learning_rate": 0.5}, {"learning_rate": None})
    )
    assert full is not None
    assert lora == pytest.approx((40 if trainer.name == "ppo" else 10) * full)
    assert (tuned, null) == (0.5, full)
    schema = trainer.options.model_json_schema()["properties"]["learning_rate"]
    assert schema["defaults"] == {"full": full, "lora": lora}


def test_an_unknown_method_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'dpo'"):
        trainers.find("dop")


def test_an_unknown_option_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'batch_size'") as error:
        trainers.parse(trainers.find("sft"), {"batchsize": 4})
    assert error.value.field == "options.batchsize"


REWARD = {"metric": "length"}


@pytest.mark.parametrize(
    ("options", "param", "message"),
    [
        ({"lora": {"r": 0}}, "lora.r", "greater than or equal to 1"),
        ({"lora": {"r": 10**9}}, "lora.r", "less than or equal to 1024"),
        ({"lora": {"foo": 1}}, "lora.foo", "did you mean 'dropout'"),
        ({"lora": {"target_module": ["x"]}}, "lora.target_module", "did you mean 'target_modules'"),
        ({"lora": "much"}, "lora", "true, false, or settings"),
        ({"rewards": [REWARD, REWARD | {"weight": "x"}]}, "rewards[1].weight", "valid number"),
        ({"rewards": [{"metrics": "length"}]}, "rewards[0].metric", "required"),
    ],
)
def test_a_wrong_setting_inside_an_option_is_named(
    options: dict[str, Any], param: str, message: str
) -> None:
    with pytest.raises(InputError, match=message) as error:
        trainers.parse(trainers.find("grpo"), {"rewards": [REWARD]} | options)
    assert error.value.field == f"options.{param}"


def test_lora_is_a_switch_or_settings() -> None:
    sft = trainers.find("sft")
    assert [trainers.parse(sft, {"lora": one}).lora for one in (True, False, 1)] == [1, 0, 1]
    adapter = trainers.parse(sft, {"lora": {"r": 4}}).adapter
    assert adapter is not None
    assert adapter.r == 4


RECORDS: dict[str, list[dict[str, Any]]] = {
    "sft": [{"prompt": f"{n}?", "completion": "Да."} for n in range(4)],
    "preference": [{"prompt": f"{n}?", "chosen": "Да.", "rejected": "no"} for n in range(4)],
    "labelled": [{"prompt": f"{n}?", "completion": "Да.", "label": n % 2 == 0} for n in range(4)],
    "prompts": [{"id": str(n), "prompt": f"{n}?"} for n in range(4)],
}


@pytest.mark.parametrize("trainer", ALL, ids=lambda trainer: trainer.name)
def test_a_step_reports_the_series_it_is_judged_by(
    trainer: AnyTrainer, tmp_path: Path, tiny_language_model: Path
) -> None:
    options: dict[str, Any] = {"max_steps": 1, "batch_size": 4, "max_length": 64}
    if issubclass(trainer.options, RewardedOptions):
        options |= {"rewards": [{"metric": "length"}], "max_completion_length": 8}
        options |= {"num_generations": 2}
    records = RECORDS[trainer.kind]
    told = here(attempt(tmp_path, trainer.name, tiny_language_model, records, options))
    (series,) = [report.data for report in told if report.type == "series"]
    assert {"loss", "learning_rate", *trainer.objective_series} <= set(series)
    for sequence in trainer.sequences:
        assert set(sequence) <= set(records[0])
