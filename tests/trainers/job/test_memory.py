"""The estimate of memory against the peak of real processes, and its arithmetic by hand."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import trainers
from tests.trainers.job.attempts import attempt, reports, start
from trainers.job.fsdp import Fsdp
from trainers.job.memory import PROCESS, Estimate, Shape, advice, estimate, shape_of

# a llama of 2 layers: embeddings, and q k v o gate up down in each layer
SIDES = {"q_proj": (64, 64), "k_proj": (32, 64), "gate_proj": (128, 64)}
SHAPE = Shape(
    parameters=1000,
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
    assert parts == {
        "weights": 4000,
        "gradients": 4000,
        "optimizer": 8000,
        "activations": 4 * 4 * 100 * 2 * (16 * 64 + 5 * 128),
        "mask": 5 * 4 * 100**2,
        "logits": 12 * 600 * 4 * 100,
        "process": PROCESS,
    }


def test_an_adapter_is_all_that_is_trained() -> None:
    parts = found("dpo", lora={"r": 8}, dtype="bfloat16").parts
    adapter = 8 * (128 + 96 + 192)
    assert parts["weights"] == 2000
    assert parts["adapters"] == parts["gradients"] == 4 * adapter
    assert parts["optimizer"] == 8 * adapter
    assert "reference" not in parts
    only = found("dpo", lora={"r": 8, "target_modules": ["q_proj"]}).parts
    assert only["adapters"] == 4 * 8 * 128


def test_what_methods_keep_besides() -> None:
    assert found("dpo").parts["reference"] == 4000
    assert found("grpo", kl_coef=0.1).parts["reference"] == 4000
    assert "reference" not in found("grpo", kl_coef=0).parts
    ppo = found("ppo").parts
    assert (ppo["reference"], ppo["value_model"], ppo["optimizer"]) == (4000, 4000, 16000)
    assert "logits" not in found("reward").parts
    pairs, single = found("dpo", batch_size=2), found("sft", batch_size=2)
    assert pairs.parts["logits"] == 2 * single.parts["logits"]


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
    once = 16 * 64 + 5 * 128
    assert kept["activations"] == 4 * 8 * 100 * (10 * 64 + once)
    adapted = parts("dpo", Fsdp(), lora=True, dtype="bfloat16")
    assert adapted["weights"] == 2 * 1_000_000 // 4
    assert adapted["gathered"] == 2 * (ends + two_layers)


LARGE = Shape(135_000_000, SHAPE.matrices, 30, 576, 1536, 9, 49_152, 8192)
OPTIONS: list[dict[str, Any]] = [
    {},
    {"lora": True},
    {"lora": {"r": 8, "target_modules": ["q_proj"]}, "dtype": "bfloat16"},
    {"dtype": "bfloat16", "batch_size": 2, "max_length": 300},
]
GOLDEN = {  # bytes, of all OPTIONS without and with the longest record known, then sharded
    "sft": [
        24143229088,
        11335503168,
        22523335584,
        9715609664,
        18100884512,
        7766732992,
        3927182400,
        3927182400,
        23018010928,
        18022064684,
        7821053336,
        6551194720,
    ],
    "reward": [
        35962777760,
        16104008160,
        34342884256,
        14484114656,
        25768072224,
        10856451424,
        4486572000,
        4486572000,
        34837559600,
        25689252396,
        4151037336,
        2601208928,
    ],
    "dpo": [
        46166454176,
        20551002336,
        44006560672,
        18391108832,
        35431748640,
        14763445600,
        5734360800,
        5734360800,
        45176236016,
        35352928812,
        14489713752,
        12264885344,
    ],
    "grpo": [
        21059350432,
        15293426752,
        18899456928,
        13133533248,
        14477005856,
        10146566336,
        4415277888,
        4415277888,
        20069132272,
        14398186028,
        4872174680,
        2927316064,
    ],
    "ppo": [
        38821964704,
        23155537984,
        34502177696,
        18835750976,
        25927275552,
        14169907392,
        7386801984,
        7386801984,
    ],
}


@pytest.mark.parametrize("method", GOLDEN)
def test_no_byte_has_changed(method: str) -> None:
    trainer = trainers.find(method)
    more: dict[str, Any] = {"rewards": REWARDS} if method in {"grpo", "ppo"} else {}
    more |= {"num_generations": 2} if method == "grpo" else {}
    parsed = [trainers.parse(trainer, more | options) for options in OPTIONS]
    sizes = [
        estimate(trainer, options, LARGE, longest, 1000).bytes
        for options in parsed
        for longest in (None, 700)
    ]
    ways = (Fsdp(), Fsdp(reshard_after_forward=False, activation_checkpointing=True))
    sizes += [
        estimate(trainer, options, LARGE, None, 0, 4, fsdp).bytes
        for fsdp in (ways if trainer.shards else ())
        for options in (parsed[0], parsed[2])
    ]
    assert sizes == GOLDEN[method]


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
    assert parts["cache"] == 4 * 256 * 512 * 30 * 384 - rest > 0
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


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("sft", {"batch_size": 64}),
        ("dpo", {"batch_size": 32, "lora": True}),
    ],
)
def test_the_peak_of_a_tiny_model_is_what_was_estimated(
    tiny_language_model: Path, tmp_path: Path, method: str, options: dict[str, Any]
) -> None:
    """Long rows and large batches, so that the passes weigh more than the libraries."""
    text = "Съешь же ещё этих мягких французских булок, да выпей чаю. " * 40
    rows: Any = [{"text": f"{at} {text}"} for at in range(64)]
    if method != "sft":
        rows = [
            {"prompt": "p", "chosen": f"+{at} {text}+", "rejected": f"-{at} {text}-"}
            for at in range(64)
        ]
    options = options | {"max_steps": 2, "truncate": True, "max_length": 256}
    peak = peak_of(tmp_path / "job", method, tiny_language_model, rows, options)
    said = found(method, shape_of(tiny_language_model), **options)
    assert 0.75 * peak < said.bytes < 1.5 * peak, (peak, said.parts)


def peak_of(job: Path, method: str, model: Path | str, rows: Any, options: Any, **more: Any) -> int:
    """Bytes a training process held at most.

    The kernel's own mark of the program that runs: `wait4` tells the larger of it and of the
    process it was forked from, which is this one.
    """
    spec = attempt(job, method, model, rows, options, **more)
    process = start(spec)
    status = Path(f"/proc/{process.pid}/status")
    peak = 0
    while process.poll() is None:
        marks = [line.split() for line in status.read_text().splitlines()]
        peak = max([peak, *(int(mark[1]) for mark in marks if mark[0] == "VmHWM:")])
        time.sleep(0.02)
    last = reports(spec)[-1]
    assert last.type == "finished", json.dumps(last.model_dump())
    return peak * 1024
