"""Dry runs: the records are read by the method's own code, and no weights are loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from inference.remote.registered import Registered
from tests.service.training.requests import CONVERSATIONS, OPTIONS, PREFERENCES, PROMPTS
from tests.trainers.job.attempts import attempt, here
from trainers import find, parse
from trainers.job.preview import preview

RECORDS: dict[str, list[Any]] = {
    "sft": CONVERSATIONS,
    "dpo": PREFERENCES,
    "reward": PREFERENCES,
    "grpo": PROMPTS,
    "ppo": PROMPTS,
}


@pytest.fixture(scope="module")
def large(tiny_language_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, said to be of 20 billion parameters: nobody can load it."""
    folder: Path = tmp_path_factory.mktemp("roots") / "large"
    shutil.copytree(tiny_language_model, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_size": 32_768, "intermediate_size": 131_072, "head_dim": 8192}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("method", RECORDS)
def test_records_are_read_without_the_weights(large: Path, tmp_path: Path, method: str) -> None:
    records = RECORDS[method][:6]
    found = preview(attempt(tmp_path / "job", method, large, records, OPTIONS[method]))
    assert found.problem is None
    lengths = found.told["lengths"]
    assert lengths["rows"] in {6, 12}
    assert 0 < lengths["min"] <= lengths["median"] <= lengths["max"] < 256
    assert lengths["truncated"] == lengths["over"] == 0
    assert found.example is not None
    assert PREFERENCES[0]["prompt"] in found.example
    assert "<|start|>user" in found.example
    assert set(found.told) == {"lengths"}


def test_a_judge_behind_a_url_is_known_and_not_asked(
    tiny_language_model: Path, tmp_path: Path
) -> None:
    judge = {"metric": "judge", "params": {"model": "far"}}
    options = OPTIONS["grpo"] | {"rewards": [judge]}
    spec = attempt(tmp_path / "job", "grpo", tiny_language_model, PROMPTS[:2], options)
    far = Registered("far", "http://127.0.0.1:9/v1", "served", private=True)
    assert preview(spec, {"far": far}).problem is None
    assert (preview(spec).problem or {}).get("param") == "options.rewards[0].params.model"


def test_what_would_be_cut_is_told_and_what_is_wrong(
    tiny_language_model: Path, tmp_path: Path
) -> None:
    rows = [{"text": "short"}, {"text": "long " * 500}]
    for name, truncate, code in [("a", False, "too_long"), ("b", True, None)]:
        options = {"max_length": 64, "truncate": truncate}
        found = preview(attempt(tmp_path / name, "sft", tiny_language_model, rows, options))
        assert found.told["lengths"]["over"] == 1
        assert found.told["lengths"]["truncated"] == int(truncate)
        assert (found.problem or {}).get("code") == code


@pytest.mark.parametrize("method", ["sft", "reward"])
def test_layers_that_the_model_does_not_have(large: Path, tmp_path: Path, method: str) -> None:
    for names, found in [(["nope"], False), (["q_proj"], True)]:
        options = {"lora": {"target_modules": names}}
        spec = attempt(tmp_path / names[0], method, large, RECORDS[method][:2], options)
        problem = preview(spec).problem
        assert (problem is None) == found
        if problem is not None:
            assert (problem["code"], problem["param"]) == (
                "invalid_input",
                "options.lora.target_modules",
            )
            assert "called nope; its linear layers are down_proj, " in (problem["message"] or "")


def test_steps_are_those_that_are_made(tiny_language_model: Path, tmp_path: Path) -> None:
    options = {"epochs": 1.5, "batch_size": 4, "gradient_accumulation_steps": 2}
    records = CONVERSATIONS[:10]
    told = here(attempt(tmp_path / "job", "sft", tiny_language_model, records, options))
    (plan,) = [report.data for report in told if report.name == "plan"]
    trainer = find("sft")
    assert trainer.steps(parse(trainer, options), 10, 1) == plan["total_steps"] == 3
    assert trainer.steps(parse(trainer, options), 10, 2) == 2
    ppo = find("ppo")
    given = parse(ppo, OPTIONS["ppo"] | {"batch_size": 2})  # 8 completions a rollout, 16 steps
    assert [ppo.steps(given, size, 1) for size in (8, 9)] == [16, 32]
