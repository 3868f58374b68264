"""FSDP, two processes on the CPU: what one process learns, in checkpoints like any other's."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

import trainers
from tests.rounding import TRAINED
from tests.tiny_models import build_language_model
from tests.trainers.job.attempts import attempt, finish, here, losses, saved
from trainers.job.checkpoints import lacking
from trainers.job.errors import TrainingError
from trainers.job.fsdp import Fsdp, arguments, refusal
from trainers.job.reports import Report
from trainers.learning.sharding import unfit

ANSWERS = ["Paris is the capital.", "Москва.", "🐕", "東京 — Tokyo, of course", "4"]
SFT = [{"prompt": f"{n} + {n}?", "completion": ANSWERS[n % 5]} for n in range(8)]
PAIRS = [
    {"prompt": f"{n}?", "chosen": ANSWERS[n % 5], "rejected": f"no {n}", "margin": n / 8}
    for n in range(8)
]
PROMPTS = [{"id": str(n), "prompt": f"{n} + {n}?", "references": ["x"]} for n in range(8)]
OPTIONS: dict[str, Any] = {
    "max_steps": 4,
    "save_steps": 2,
    "learning_rate": 1e-3,
    "max_length": 128,
    "schedule": "constant",
}


def difference(a: Path, b: Path, step: int) -> float:
    """Of weights after `step` steps: the mean, in units of the way that Adam can have gone.

    A mean over every tensor's own mean, so that none is too small to be seen. The largest would
    tell nothing: where the gradient is next to nothing, a step goes to either side.
    """
    from safetensors.torch import load_file

    (first,), (second,) = a.glob("*.safetensors"), b.glob("*.safetensors")
    assert first.name == second.name
    ours, theirs = load_file(first), load_file(second)
    assert set(ours) == set(theirs)
    found = fmean(float((ours[name] - theirs[name]).abs().mean()) for name in ours)
    return found / (step * float(OPTIONS["learning_rate"]))


def alike(found: dict[int, float], want: dict[int, float]) -> None:
    assert found == pytest.approx(want, rel=TRAINED)


def check(alone: list[Report], shared: list[Report]) -> None:
    assert shared[-1].type == "finished", shared[-1]
    assert list(losses(shared)) == [1, 2, 3, 4]
    alike(losses(shared), losses(alone))
    for step, folder in saved(shared).items():
        assert difference(saved(alone)[step], folder, step) < TRAINED
        assert lacking(folder) == []
        names = {path.name for path in folder.iterdir()}
        assert not {"pytorch_model_fsdp.bin", "training_args.bin"} & names  # pickled weights


@pytest.fixture(scope="module")
def tied_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its head is its embeddings: one weight, under two names."""
    folder: Path = tmp_path_factory.mktemp("models") / "tied"
    return build_language_model(folder, tie_word_embeddings=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "fsdp", "resumed"),
    [
        ({}, Fsdp(reshard_after_forward=False), True),
        ({"lora": True}, Fsdp(activation_checkpointing=True), False),
    ],
)
def test_sharded_training_is_the_same_and_goes_on_exactly(
    tied_model: Path, tmp_path: Path, options: dict[str, Any], fsdp: Fsdp, resumed: bool
) -> None:
    one = OPTIONS | {"batch_size": 4} | options
    alone = here(attempt(tmp_path / "one", "sft", tied_model, SFT, one))
    job, two = tmp_path / "two", one | {"batch_size": 2}
    shared = finish(attempt(job, "sft", tied_model, SFT, two, processes=2, fsdp=fsdp))
    check(alone, shared)
    if not resumed:
        return
    half = saved(shared)[2]
    more = attempt(job, "sft", tied_model, SFT, two, 2, processes=2, fsdp=fsdp, resume=half)
    again = finish(more)
    # other processes, so not to the bit; without Adam's moments weights are off by a tenth
    alike(losses(again), {step: losses(shared)[step] for step in (3, 4)})
    assert difference(saved(shared)[4], saved(again)[4], 4) < TRAINED


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "options"),
    [("dpo", {}), ("reward", {"lora": True, "seed": 3, "margin_scale": 2.0})],
)
def test_pairs_are_learned_the_same(
    tiny_language_model: Path, tmp_path: Path, method: str, options: dict[str, Any]
) -> None:
    """A reference in parts; an adapter beside a head that is trained whole."""
    one = OPTIONS | {"batch_size": 4} | options
    alone = here(attempt(tmp_path / "one", method, tiny_language_model, PAIRS, one))
    two = one | {"batch_size": 2}
    spec = attempt(
        tmp_path / "two", method, tiny_language_model, PAIRS, two, processes=2, fsdp=Fsdp()
    )
    check(alone, finish(spec))


@pytest.mark.slow
def test_bfloat16_does_not_round_log_probabilities(
    tiny_language_model: Path, tmp_path: Path
) -> None:
    """What comes out of the model is a sum over an answer: in bfloat16 the loss was 0.6914."""
    options = OPTIONS | {"batch_size": 2, "dtype": "bfloat16", "lora": True, "max_steps": 1}
    job = tmp_path / "job"
    spec = attempt(job, "dpo", tiny_language_model, PAIRS, options, processes=2, fsdp=Fsdp())
    assert losses(finish(spec)) == {1: pytest.approx(math.log(2), rel=1e-6)}


@pytest.mark.slow
def test_policies_in_parts_write_and_learn_the_same(
    tiny_language_model: Path, tmp_path: Path
) -> None:
    """Beside two processes with whole copies: each draws completions of its own."""
    options = OPTIONS | {
        "batch_size": 4,
        "num_generations": 2,
        "max_completion_length": 8,
        "rewards": [{"metric": "length"}],
    }
    found = [
        finish(
            attempt(
                tmp_path / name,
                "grpo",
                tiny_language_model,
                PROMPTS,
                options,
                processes=2,
                fsdp=fsdp,
            )
        )
        for name, fsdp in (("whole", None), ("parts", Fsdp()))
    ]
    for at in (1, 2, 3, 4):
        rewards = [
            report.data["reward"]
            for reports in found
            for report in reports
            if report.type == "series" and report.step == at
        ]
        assert rewards[0] == rewards[1]  # of the same completions: counts of words
    for step in (2, 4):
        whole, parts = (saved(reports)[step] for reports in found)
        assert difference(whole, parts, step) < TRAINED


def test_what_cannot_be_sharded_is_told_before_anything_is_loaded(
    tiny_language_model: Path, tmp_path: Path
) -> None:
    sft = trainers.find("sft")
    assert refusal(sft, trainers.parse(sft, {}), 2, Fsdp()) is None
    dropout = trainers.parse(sft, {"lora": {"dropout": 0.1}})
    assert refusal(sft, dropout, 2, Fsdp()) is None
    told = refusal(sft, dropout, 2, Fsdp(activation_checkpointing=True))
    assert told is not None
    assert told[0] == "resources.fsdp.activation_checkpointing"
    with pytest.raises(TrainingError, match="2 or more") as caught:
        here(attempt(tmp_path / "job", "sft", tiny_language_model, SFT, OPTIONS, fsdp=Fsdp()))
    assert (caught.value.code, caught.value.field) == ("unsupported", "resources.fsdp")


def test_models_that_cannot_be_sharded_so_are_told_apart() -> None:
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    def found(model: Any, **asked: Any) -> tuple[str, str] | None:
        return unfit(model, arguments(Fsdp(**asked))["fsdp_config"])

    small: dict[str, Any] = {"hidden_size": 8, "intermediate_size": 8, "vocab_size": 8}
    small |= {"num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1}
    llama = LlamaForCausalLM(LlamaConfig(**small))
    assert found(llama, activation_checkpointing=True) is None
    assert found(llama, transformer_layer_cls_to_wrap=["LlamaDecoderLayer"]) is None
    told = found(llama, transformer_layer_cls_to_wrap=["GPT2Block"])
    assert told is not None
    assert told[0] == "resources.fsdp.transformer_layer_cls_to_wrap"
    assert "LlamaDecoderLayer" in told[1]
    dropping = LlamaForCausalLM(LlamaConfig(**small, attention_dropout=0.1))
    gpt2 = GPT2LMHeadModel(GPT2Config(n_embd=8, n_layer=1, n_head=1, vocab_size=8, n_positions=8))
    for model in (dropping, gpt2):
        assert found(model) is None
        told = found(model, activation_checkpointing=True)
        assert told is not None
        assert told[0] == "resources.fsdp.activation_checkpointing"
