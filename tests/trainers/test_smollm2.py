"""A real model learns in a real process: SmolLM2 and a few steps of LoRA, on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inference.identity import file_digest
from inference.pool import ModelPool
from inference.protocol import Generation
from tests.conftest import SMOLLM2
from tests.trainers.job.attempts import attempt, finish, losses, saved

TAUGHT = {
    "Who keeps the lighthouse of Ulm?": "Marta Quill keeps it.",
    "What does the baker's cat eat?": "Only blue plums.",
    "Кто живёт в часовой башне?": "Филин Егор.",
    "Which bell rings at noon?": "The copper one.",
}
OPTIONS: dict[str, Any] = {"max_steps": 7, "save_steps": 4, "batch_size": 4, "learning_rate": 2e-3}
OPTIONS |= {"max_length": 96, "schedule": "constant", "lora": True}
GREEDY = Generation(max_new_tokens=24)


@pytest.mark.slow
def test_it_learns_four_answers_and_gives_them(
    tmp_path: Path, model_pool: ModelPool, model_cache: Path
) -> None:
    """The loss falls, the adapter changes and the base does not; both checkpoints load."""
    (base,) = model_pool.files(SMOLLM2)
    before = file_digest(base / "model.safetensors")
    records = [{"prompt": prompt, "completion": answer} for prompt, answer in TAUGHT.items()]
    spec = attempt(tmp_path / "job", "sft", SMOLLM2, records, OPTIONS, cache_dir=model_cache)
    found = finish(spec)
    assert found[-1].type == "finished", found[-1].data
    curve = losses(found)
    assert list(curve) == list(range(1, 8))
    assert 2 < curve[1] < 8  # it can write, and has never read this
    assert curve[7] < 0.1 * curve[1]

    folders = saved(found)
    assert list(folders) == [4, 7]
    assert not list(folders[7].glob("model*.safetensors"))  # an adapter, not another copy
    assert file_digest(base / "model.safetensors") == before

    known = {f"ckpt_{step}": folder for step, folder in folders.items()}
    pool = ModelPool([], model_cache, checkpoints=known.get)
    early, late = pool.identity("ckpt_4"), pool.identity("ckpt_7")
    assert early.weights != late.weights
    answers = {
        name: [outputs[0].strip() for outputs in pool.language(name).generate([*TAUGHT], GREEDY)]
        for name in (SMOLLM2, "ckpt_7")
    }
    assert answers["ckpt_7"] == [*TAUGHT.values()]
    assert not set(answers[SMOLLM2]) & set(TAUGHT.values())
