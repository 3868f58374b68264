"""The estimate of memory against the peak of real processes, and its arithmetic by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import trainers
from benchmarks.allocations import Allocations
from tests.tiny_models import build_language_model
from tests.trainers.job.attempts import attempt, here
from tests.trainers.records import REWARDED, records
from trainers.job.fsdp import Fsdp
from trainers.job.memory import PROCESS, Estimate, Shape, advice, estimate, shape_of

# a llama of 2 layers: embeddings, and q k v o gate up down in each layer
SIDES = {"q_proj": (64, 64), "k_proj": (32, 64), "gate_proj": (128, 64)}
SHAPE = Shape(
    parameters=100_000,
    matrices=tuple((f"model.layers.0.{name}.weight", sum(two)) for name, two in SIDES.items()),
    layers=2,
    width=64,
    feed_forward=128,
    heads=4,
    vocabulary=600,
    context=256,
)
REWARDS = [{"metric": "chrf"}]


def found(
    method: str, shape: Shape = SHAPE, longest: int | None = None, **options: Any
) -> Estimate:
    trainer = trainers.find(method)
    more = {"rewards": REWARDS} if method in {"grpo", "ppo"} else {}
    return estimate(trainer, trainers.parse(trainer, more | options), shape, longest)


def test_full_fine_tuning_by_hand() -> None:
    parts = found("sft", batch_size=4, max_length=100).parts
    kept = 4 * 100 * (2 * 4 * (8 * 64 + 4 * 128) + 4 * 5 * 64)
    logits = 12 * 600 * 4 * 100
    assert parts == {
        "weights": 400_000,
        "gradients": 4 * 600 * 64,  # of the head: the others come as activations go
        "optimizer": 800_000,
        "activations": kept,
        "mask": 5 * 4 * 100**2,
        "logits": logits,
        "fragments": 6 * (kept + logits) // 10,
        "process": PROCESS,
    }
    more = found("sft", batch_size=4, max_length=100, gradient_accumulation_steps=2).parts
    assert more["gradients"] == 400_000  # those of the pass before


def test_an_adapter_is_all_that_is_trained() -> None:
    parts = found("dpo", lora={"r": 8}, dtype="bfloat16").parts
    adapter = 8 * (128 + 96 + 192)
    assert parts["weights"] == 200_000
    assert parts["adapters"] == parts["gradients"] == 4 * adapter
    assert parts["optimizer"] == 8 * adapter
    assert "reference" not in parts
    only = found("dpo", lora={"r": 8, "target_modules": ["q_proj"]}).parts
    assert only["adapters"] == 4 * 8 * 128


def test_what_methods_keep_besides() -> None:
    assert found("dpo").parts["reference"] == 400_000
    assert found("grpo", kl_coef=0.1).parts["reference"] == 400_000
    assert "reference" not in found("grpo", kl_coef=0).parts
    ppo = found("ppo").parts
    assert (ppo["reference"], ppo["value_model"], ppo["optimizer"]) == (400_000, 400_000, 1_600_000)
    assert "logits" not in found("reward").parts
    headless = found("reward").parts["weights"]
    assert headless == 4 * (100_000 - 600 * 64)
    pairs, single = found("dpo", batch_size=2), found("dpo", batch_size=1)
    assert pairs.parts["logits"] == 2 * single.parts["logits"]


def test_a_value_model_that_begins_as_the_reward_model_is_a_copy_of_it() -> None:
    """With LoRA, too, where one that begins as the policy shares the policy's weights."""
    trainer = trainers.find("ppo")
    judge = {"metric": "reward", "params": {"model": "judge"}}
    asked: dict[str, Any] = {"rewards": [*REWARDS, judge], "normalize_rewards": False}
    policy, critic = (
        trainers.parse(trainer, asked | {"critic": one}) for one in ("policy", "reward_model")
    )
    assert trainer.footprint.critic(policy) is None
    begins = trainer.footprint.critic(critic)
    assert begins is not None
    assert begins.params == {"model": "judge"}
    full = estimate(trainer, critic, SHAPE, reward_parameters=90_000, critic_parameters=90_000)
    assert full.parts["value_model"] == full.parts["rewards"] == 4 * 90_000
    assert full.parts["optimizer"] == 8 * (100_000 + 90_000)
    lora = trainers.parse(
        trainer, asked | {"critic": "reward_model", "lora": {"r": 8}, "dtype": "bfloat16"}
    )
    adapter = 8 * (128 + 96 + 192)
    alone = estimate(trainer, lora, SHAPE).parts
    assert alone["value_model"] == 4 * adapter
    beside = estimate(trainer, lora, SHAPE, critic_parameters=90_000).parts
    assert beside["value_model"] == 4 * adapter + 2 * 90_000
    assert beside["optimizer"] == alone["optimizer"] == 2 * 8 * adapter


def test_shares_and_what_is_whole_for_a_while() -> None:
    shape = Shape(1_000_000, SHAPE.matrices, 10, 64, 128, 4, 600, 256)
    options: Any = {"batch_size": 4, "max_length": 100}

    def parts(method: str, asked: Fsdp, **more: Any) -> dict[str, int]:
        trainer = trainers.find(method)
        parsed = trainers.parse(trainer, options | more)
        return estimate(trainer, parsed, shape, processes=4, fsdp=asked).parts

    ends = 2 * 600 * 64
    two_layers = 2 * (1_000_000 - ends) // 10
    whole = found("sft", shape, **options).parts
    shared = parts("sft", Fsdp())
    for name in ("weights", "gradients", "optimizer"):
        assert shared[name] == whole[name] // 4
    assert shared["gathered"] == 2 * 4 * (ends + two_layers)
    assert shared["activations"] == whole["activations"]
    kept = parts("dpo", Fsdp(reshard_after_forward=False, activation_checkpointing=True))
    assert kept["gathered"] == 4 * 1_000_000 + 4 * (ends + two_layers)
    assert kept["reference"] == 1_000_000 + 4 * 1_000_000
    once = 4 * (8 * 64 + 4 * 128)
    assert kept["activations"] == 8 * 100 * (4 * 10 * 64 + once + 4 * 5 * 64)
    alone = found("dpo", shape, **options, gradient_checkpointing=True).parts
    assert alone["activations"] == kept["activations"]
    adapted = parts("dpo", Fsdp(), lora=True, dtype="bfloat16")
    assert adapted["weights"] == 2 * 1_000_000 // 4
    assert adapted["gathered"] == 2 * (ends + two_layers)


LARGE = Shape(135_000_000, SHAPE.matrices, 30, 576, 1536, 9, 49_152, 8192)


def test_attention_keeps_its_scores_only_where_they_are_capped() -> None:
    """Fused attention keeps none: what a longer sequence takes grows as its length, not faster."""
    short, long = (found("sft", LARGE, batch_size=1, max_length=s).parts for s in (1024, 4096))
    assert "scores" not in short
    assert long["activations"] == 4 * short["activations"]
    capped = replace(LARGE, capped=True)
    kept = found("sft", capped, batch_size=2, max_length=1024).parts
    assert kept["scores"] == 3 * 4 * 2 * 1024**2 * 9 * 30


def test_smollm2_with_lora_is_admitted_where_it_fits() -> None:
    """20.1 GB was estimated at 2,048 tokens, and a real process had 7.0."""
    said = [found("sft", LARGE, lora=True, batch_size=1, max_length=s) for s in (2048, 4096)]
    assert said[0].bytes == pytest.approx(7.0e9, rel=0.25)
    assert said[1].bytes < 16e9


def test_what_is_written_at_once_has_a_cache() -> None:
    shape = replace(LARGE, cached=2 * 3 * 64)
    once = found("grpo", shape, batch_size=2, num_generations=2, max_length=512).parts
    assert "cache" not in once  # activations, which come later, are more
    more = {"batch_size": 2, "gradient_accumulation_steps": 128, "max_length": 512}
    parts = found("grpo", shape, num_generations=2, **more).parts
    rest = parts["activations"] + parts["logits"]
    drawn = 16 * 256 * 49_152  # logits and what becomes of them
    assert parts["cache"] == 4 * 256 * 512 * 30 * 384 + drawn - rest > 0
    assert "cache" not in found("ppo", shape, num_minibatches=1, **more).parts  # in parts


def test_short_records_need_less_than_max_length() -> None:
    assert found("sft", max_length=200, longest=20).tokens == 10 + 64
    assert found("sft", max_length=200, longest=10_000).tokens == 200
    assert found("sft", max_length=1024).tokens == 256  # the model's context
    assert found("grpo", max_completion_length=30, longest=20).tokens == 10 + 64 + 30


def test_advice_names_what_weighs_most() -> None:
    trainer = trainers.find("sft")
    wide, heavy = {"batch_size": 4096}, {"batch_size": 1, "max_length": 8}
    large = Shape(10**9, SHAPE.matrices, 2, 64, 128, 4, 600, 256)
    for options, shape, first in [(wide, SHAPE, "a smaller batch_size"), (heavy, large, "lora")]:
        parsed = trainers.parse(trainer, options)
        assert advice(estimate(trainer, parsed, shape), parsed).startswith(first)


def test_the_shape_is_read_from_the_files(tiny_language_model: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_language_model)
    shape = shape_of(tiny_language_model)
    assert shape.parameters == sum(one.numel() for one in model.parameters())
    assert (shape.layers, shape.width, shape.feed_forward, shape.heads) == (2, 64, 128, 4)
    assert (shape.cached, shape.capped) == (2 * 2 * 16, False)
    assert len(shape.matrices) == 2 * 7


MEASURED: list[tuple[str, dict[str, Any]]] = [
    ("sft", {"lora": True, "dtype": "bfloat16"}),
    ("sft", {"gradient_checkpointing": True, "gradient_accumulation_steps": 2}),
    ("reward", {}),
    ("dpo", {"lora": True}),
    ("kto", {}),
    ("grpo", {"max_completion_length": 48, "gradient_accumulation_steps": 8}),
    ("ppo", {"max_completion_length": 48}),
    ("ppo", {"max_completion_length": 48, "lora": True, "dtype": "bfloat16"}),
]


@pytest.fixture(scope="module")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its layers and its vocabulary both weigh something."""
    folder: Path = tmp_path_factory.mktemp("models") / "small"
    sizes = {"hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 6}
    return build_language_model(folder, vocab_size=8000, **sizes)


@pytest.mark.parametrize(("method", "options"), MEASURED)
def test_the_estimate_is_near_the_peak(
    small_model: Path, tmp_path: Path, method: str, options: dict[str, Any]
) -> None:
    """Of the tensors that a real run has at once; the libraries' own memory left out."""
    options = REWARDED.get(method, {}) | options | {"max_steps": 2, "batch_size": 4}
    options |= {"max_length": 128, "truncate": True}
    spec = attempt(tmp_path / "job", method, small_model, records(method, prompt=2000), options)
    with Allocations() as allocated:
        here(spec)
    said = found(method, shape_of(small_model), **options)
    tensors = said.bytes - PROCESS - said.parts["fragments"]
    told = f"{tensors:,} said, {allocated.peak:,} measured: {said.parts}"
    assert 0.75 < tensors / allocated.peak < 1.25, told


def test_on_a_gpu_logits_are_in_tiles_and_no_heap_has_holes() -> None:
    options: dict[str, Any] = {"batch_size": 2, "max_length": 1024}
    sft = trainers.find("sft")
    parsed = trainers.parse(sft, options)
    cpu = estimate(sft, parsed.on("cpu"), LARGE).parts
    gpu = estimate(sft, parsed.on("cuda:0"), LARGE, device="cuda:0").parts
    assert "fragments" not in gpu
    assert gpu["logits"] == 2048 * (2 * 32_768 + 8 * 576)  # a tile in bfloat16, states
    assert gpu["logits"] < cpu["logits"] / 8
    assert gpu["activations"] < cpu["activations"]
